"""Runs that wait for a moment rather than for people: when to look at them again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from signoff.domain.errors import FencedError
from signoff.domain.run import Run
from signoff.store.database import Transaction
from signoff.store.tables import runs


def set_wake_at(tx: Transaction, run: Run, moment: datetime) -> None:
    """Have the run looked at again at `moment`, and not before on suspicion that its wake-up was lost.

    Raises:
        FencedError: somebody else took the run over.
    """
    mine = (runs.c.id == run.id) & (runs.c.epoch == run.epoch)
    if tx.execute(update(runs).where(mine).values(wake_at=moment)).rowcount != 1:
        raise FencedError(f"Run {run.id} was moved on by somebody else meanwhile.", "Read it again.")


def take_due(tx: Transaction, *, now: datetime) -> list[str]:
    """The runs whose moment has come by `now`; it is over with this, and whoever asked wakes them."""
    due = update(runs).where(runs.c.wake_at.is_not(None), runs.c.wake_at <= now)
    return sorted(tx.scalars(due.values(wake_at=None).returning(runs.c.id)))


def take_waiting(tx: Transaction) -> list[str]:
    """Every run that waits for a moment, because what it waits for may have changed; whoever asked wakes them."""
    waiting = update(runs).where(runs.c.wake_at.is_not(None))
    return sorted(tx.scalars(waiting.values(wake_at=None).returning(runs.c.id)))
