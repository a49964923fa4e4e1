"""Runs whose status could not be written into the registry's tags: what is left to do when it is back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.store.database import Transaction
from signoff.store.trigger_tables import stale_tags


def note_stale(tx: Transaction, run_id: str, *, at: datetime) -> None:
    """Keep that the tags of the run's version are not what they should be."""
    tx.execute(upsert(stale_tags).values(run_id=run_id, since=at).on_conflict_do_nothing())


def list_stale(tx: Transaction, *, limit: int = 100) -> list[str]:
    """The runs whose tags are stale, longest first."""
    query = select(stale_tags.c.run_id).order_by(stale_tags.c.since, stale_tags.c.run_id).limit(limit)
    return [str(run_id) for run_id in tx.scalars(query)]


def forget_stale(tx: Transaction, run_ids: Collection[str]) -> None:
    """Their tags are what they should be again."""
    tx.execute(delete(stale_tags).where(stale_tags.c.run_id.in_(list(run_ids))))
