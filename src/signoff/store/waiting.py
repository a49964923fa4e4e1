"""What nobody has to move on: runs that wait for a moment, or whose wake-up was lost; gates half decided."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from signoff.domain.errors import FencedError
from signoff.domain.gate import GateStatus
from signoff.domain.run import Run, RunStatus
from signoff.store.database import Transaction
from signoff.store.tables import decisions, gates, runs


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


def list_decided_gates(tx: Transaction, *, after: str, limit: int) -> list[tuple[str, str]]:
    """(gate, run) of open gates about which a decision stands, in the order of their ids, those behind `after`."""
    stands = select(decisions.c.id).where(decisions.c.gate_id == gates.c.id, decisions.c.is_withdrawn.is_(False))
    query = (
        select(gates.c.id, gates.c.run_id)
        .where(gates.c.status == GateStatus.OPEN.value, gates.c.id > after, stands.exists())
        .order_by(gates.c.id)
        .limit(limit)
    )
    return [(row.id, row.run_id) for row in tx.execute(query)]


def list_stuck_runs(tx: Transaction, *, older_than: datetime, limit: int = 100) -> list[str]:
    """Runs that should be moving but were not touched since `older_than`: their wake-up may have been lost.

    Those that wait for a moment are not among them.
    """
    query = (
        select(runs.c.id)
        .where(runs.c.status == RunStatus.RUNNING.value, runs.c.updated_at < older_than, runs.c.wake_at.is_(None))
        .order_by(runs.c.updated_at)
        .limit(limit)
    )
    return [str(run_id) for run_id in tx.scalars(query)]
