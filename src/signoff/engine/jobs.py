"""Wake-ups: jobs that say "look at run X", written in the transaction of what they tell of.

Losing, repeating or delaying one can never lose or repeat an effect: the rows are the truth. Imported by `service`
(to wake) and by `engine.worker` (to run them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from procrastinate import App, SyncPsycopgConnector
from sqlalchemy import text

from signoff.store.database import Transaction

ADVANCE = "signoff.advance"
ROLL_BACK = "signoff.roll_back"
TICK = "signoff.tick"
RESCUE = "signoff.rescue"
SWEEP = "signoff.sweep"

RUNS_QUEUE = "runs"
HOUSE_QUEUE = "house"
"""The tick and the rescue have a queue of their own, so that long trainings never delay them."""

_app = App(connector=SyncPsycopgConnector())


def wake_run(tx: Transaction, run_id: str) -> None:
    """Ask a worker to look at the run once `tx` commits; when it rolls back, nothing was asked.

    The lock makes the run's jobs run one after another.
    """
    _defer(tx, ADVANCE, lock=f"run/{run_id}", run_id=run_id)


def wake_rollback(tx: Transaction, deployment_id: str, environment: str, model: str) -> None:
    """Ask a worker to carry out the rollback that `deployment_id` stands for."""
    _defer(tx, ROLL_BACK, lock=f"deployment/{environment}/{model}", deployment_id=deployment_id)


def _defer(tx: Transaction, task: str, *, lock: str, **arguments: Any) -> None:
    raw = tx.connection.driver_connection
    _app.configure_task(task, lock=lock, queue=RUNS_QUEUE, connection=raw).defer(**arguments)


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many jobs wait, and for how many seconds the oldest has."""

    waiting: int
    oldest_seconds: float
    workers: int


def queue_state(tx: Transaction) -> QueueState:
    """The queue at this moment, and how many workers gave a sign of life within a minute."""
    waiting, oldest = tx.execute(
        text(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(e.at)), 0) FROM procrastinate_jobs j "
            "LEFT JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'deferred' "
            "WHERE j.status = 'todo' AND j.queue_name = :queue AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())"
        ),
        {"queue": RUNS_QUEUE},
    ).one()
    workers = tx.scalar(
        text("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds'")
    )
    return QueueState(int(waiting), float(oldest), int(workers or 0))
