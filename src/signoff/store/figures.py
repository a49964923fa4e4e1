"""Counts and durations for operators."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from signoff.store.database import Transaction
from signoff.store.tables import decisions, runs, steps


def count_decisions(tx: Transaction) -> dict[str, int]:
    """Decisions by verdict, withdrawn ones left out."""
    query = select(decisions.c.verdict, func.count()).where(~decisions.c.is_withdrawn).group_by(decisions.c.verdict)
    return {str(verdict): int(count) for verdict, count in tx.execute(query)}


def count_runs(tx: Transaction) -> dict[str, int]:
    """How many runs stand where: status -> count."""
    rows = tx.execute(select(runs.c.status, func.count()).group_by(runs.c.status)).all()
    return {str(status): int(count) for status, count in rows}


def step_seconds(tx: Transaction, *, now: datetime) -> list[tuple[str, str, float]]:
    """(type, status, median seconds) of the steps that ended within a day."""
    took = func.extract("epoch", steps.c.ended_at - steps.c.started_at)
    query = (
        select(steps.c.type, steps.c.status, func.percentile_cont(0.5).within_group(took))
        .where(steps.c.ended_at > now - timedelta(days=1), steps.c.started_at.is_not(None))
        .group_by(steps.c.type, steps.c.status)
    )
    return [(str(kind), str(status), float(seconds)) for kind, status, seconds in tx.execute(query)]
