"""Adopted versions: who took them in, and what became of their review."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from signoff.domain.adoption import OPEN, Adoption, AdoptionStatus
from signoff.domain.audit import AuditEvent
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.drift_tables import adoptions

_FIELDS = tuple(field.name for field in fields(Adoption))
_IS_OPEN = adoptions.c.status.in_([status.value for status in sorted(OPEN)])


def add_adoption(tx: Transaction, adoption: Adoption, *, audit: Sequence[AuditEvent]) -> None:
    """Write one down."""
    tx.execute(insert(adoptions).values({name: getattr(adoption, name) for name in _FIELDS}))
    add_events(tx, audit)


def set_adoption(
    tx: Transaction,
    former: Adoption,
    status: AdoptionStatus,
    *,
    note: str,
    ended_at: datetime | None,
    audit: Sequence[AuditEvent],
) -> bool:
    """Move it on, if it still stands where it did when it was read; False when somebody else was first."""
    here = (adoptions.c.run_id == former.run_id) & (adoptions.c.status == former.status.value)
    values = {"status": status.value, "note": note, "ended_at": ended_at}
    if tx.execute(update(adoptions).where(here).values(values)).rowcount != 1:
        return False
    add_events(tx, audit)
    return True


def list_open(tx: Transaction) -> list[Adoption]:
    """Those whose review is owed, oldest first."""
    found = tx.execute(select(adoptions).where(_IS_OPEN).order_by(adoptions.c.at, adoptions.c.run_id))
    return [_adoption(row) for row in found]


def list_of_runs(tx: Transaction, run_ids: Iterable[str]) -> dict[str, Adoption]:
    """After-review -> the adoption that it reviews."""
    ids = sorted(set(run_ids))
    if not ids:
        return {}
    found = tx.execute(select(adoptions).where(adoptions.c.run_id.in_(ids)))
    return {row.run_id: _adoption(row) for row in found}


def _adoption(row: Row[Any]) -> Adoption:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Adoption(**{**values, "status": AdoptionStatus(row.status)})
