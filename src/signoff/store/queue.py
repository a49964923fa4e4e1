"""What the job queue's own tables tell: how long it is, who still works, whose wake-up is lost, what is old.

The library that `engine` drives writes these tables; here they are read, old jobs forgotten, and signs of life given.
Used by `engine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from signoff.store.database import Transaction


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many jobs wait, for how many seconds the oldest has, and how many workers live."""

    waiting: int
    oldest_seconds: float
    workers: int


def get_queue_state(tx: Transaction, queue: str) -> QueueState:
    """The queue at this moment, and how many workers gave a sign of life within a minute."""
    waiting, oldest = tx.execute(
        text(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(e.at)), 0) FROM procrastinate_jobs j "
            "LEFT JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'deferred' "
            "WHERE j.status = 'todo' AND j.queue_name = :queue AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())"
        ),
        {"queue": queue},
    ).one()
    workers = tx.scalar(
        text("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds'")
    )
    return QueueState(int(waiting), float(oldest), int(workers or 0))


def list_busy_locks(tx: Transaction, queue: str, locks: Sequence[str]) -> set[str]:
    """Those of `locks` for which a job waits or runs."""
    query = text(
        "SELECT lock FROM procrastinate_jobs WHERE lock = ANY(:locks) AND queue_name = :queue "
        "AND status IN ('todo', 'doing')"
    )
    return set(tx.scalars(query, {"locks": list(locks), "queue": queue}))


def forget_jobs(tx: Transaction, *, before: datetime) -> None:
    """Delete jobs that ended, one way or another, before that moment."""
    tx.execute(
        text(
            "DELETE FROM procrastinate_jobs WHERE status IN ('failed', 'aborted', 'cancelled', 'succeeded') "
            "AND id IN (SELECT job_id FROM procrastinate_events GROUP BY job_id HAVING max(at) < :before)"
        ),
        {"before": before},
    )


def beat(tx: Transaction, worker_ids: Sequence[int]) -> None:
    """A sign of life for each of these workers."""
    tx.execute(
        text("UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = ANY(:ids)"), {"ids": list(worker_ids)}
    )
