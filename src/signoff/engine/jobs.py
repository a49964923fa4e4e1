"""Wake-ups: jobs that say "look at run X", written in the transaction of what they tell of.

Losing, repeating or delaying one can never lose or repeat an effect: the rows are the truth. Imported by `service`
(to wake) and by `engine.worker` (to run them).
"""

from __future__ import annotations

from signoff.store.database import Transaction
from signoff.store.queue import QueueState, get_queue_state
from signoff.store.wakeups import add_wakeup

ADVANCE = "signoff.advance"
BY_HAND = "signoff.deploy_by_hand"
TICK = "signoff.tick"
RESCUE = "signoff.rescue"
SWEEP = "signoff.sweep"
NOTIFY = "signoff.notify"
LOOK = "signoff.look"

RUNS_QUEUE = "runs"
HOUSE_QUEUE = "house"
"""The tick and the rescue have a queue of their own, so that long trainings never delay them."""

NOTIFY_QUEUE = "notify"
"""Telling people has one too: neither does a training delay it, nor does a slow mail server delay anything else."""

NOTIFY_CONCURRENCY = 8
"""How many targets a worker sends through at a time. One that does not answer is asked seldom, so few are held."""


def wake_run(tx: Transaction, run_id: str) -> None:
    """Ask a worker to look at the run once `tx` commits; when it rolls back, nothing was asked.

    The lock makes the run's jobs run one after another.
    """
    add_wakeup(tx, RUNS_QUEUE, ADVANCE, lock=f"run/{run_id}", arguments={"run_id": run_id})


def wake_by_hand(tx: Transaction, deployment_id: str, environment: str, model: str) -> None:
    """Ask a worker to carry out the rollback or emergency deployment that `deployment_id` stands for."""
    lock = f"deployment/{environment}/{model}"
    add_wakeup(tx, RUNS_QUEUE, BY_HAND, lock=lock, arguments={"deployment_id": deployment_id})


def wake_watch(tx: Transaction, pipeline: str) -> None:
    """Ask a worker to look for new versions that start this registered pipeline; one at a time does."""
    add_wakeup(tx, RUNS_QUEUE, LOOK, lock=watch_lock(pipeline), arguments={"pipeline": pipeline})


def watch_lock(pipeline: str) -> str:
    """The lock that such jobs share."""
    return f"watch/{pipeline}"


def wake_target(tx: Transaction, target: str) -> None:
    """Ask a worker to send what is due through `target`; one at a time does."""
    add_wakeup(tx, NOTIFY_QUEUE, NOTIFY, lock=f"target/{target}", arguments={"target": target})


def queue_state(tx: Transaction) -> QueueState:
    """How many wake-ups wait at this moment, for how long, and how many workers live."""
    return get_queue_state(tx, RUNS_QUEUE)
