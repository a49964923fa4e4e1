"""Writing a wake-up into the job queue, in the transaction of what it tells of. Used by `engine.jobs`.

The queue's library is not asked: making and logging its objects cost more than the rest of a short transaction, while
what it sends at the end is this one call of its own function.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import text

from signoff.store.database import Transaction

_ADD = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(CAST(:queue AS varchar), CAST(:task AS varchar), 0, "
    "CAST(:lock AS varchar), NULL, CAST(:arguments AS jsonb), NULL)::procrastinate_job_to_defer_v1])"
)


def add_wakeup(tx: Transaction, queue: str, task: str, *, lock: str, arguments: Mapping[str, str]) -> None:
    """Queue the task; workers hear of it when `tx` commits. Jobs with one lock run one after another."""
    tx.execute(_ADD, {"queue": queue, "task": task, "lock": lock, "arguments": json.dumps(dict(arguments))})
