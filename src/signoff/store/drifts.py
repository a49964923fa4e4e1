"""What was found beside what was signed off: open while it is so, kept afterwards with how it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.drift import Drift, SeenBy
from signoff.domain.environment import DeploymentKind
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.drift_tables import drifts

_FIELDS = tuple(field.name for field in fields(Drift))
_OPEN = select(drifts).where(drifts.c.ended_at.is_(None))


def add_drift(tx: Transaction, drift: Drift, *, audit: Sequence[AuditEvent]) -> bool:
    """Keep a finding; False when somebody else was first."""
    row = {name: getattr(drift, name) for name in _FIELDS}
    row |= {"seen_by": drift.seen_by.value, "signed_kind": drift.signed_kind.value if drift.signed_kind else None}
    if tx.scalar(upsert(drifts).values(row).on_conflict_do_nothing().returning(drifts.c.id)) is None:
        return False
    add_events(tx, audit)
    return True


def set_note(tx: Transaction, drift: Drift, note: str) -> None:
    """Write what is done about it."""
    tx.execute(update(drifts).where(drifts.c.id == drift.id, drifts.c.ended_at.is_(None)).values(note=note))


def end_drift(tx: Transaction, drift: Drift, *, at: datetime, note: str, audit: Sequence[AuditEvent]) -> None:
    """It is so no longer; nothing happens where somebody else has ended it."""
    here = (drifts.c.id == drift.id) & drifts.c.ended_at.is_(None)
    if tx.execute(update(drifts).where(here).values(ended_at=at, note=note)).rowcount == 1:
        add_events(tx, audit)


def find_open(tx: Transaction, environment: str, model: str, seen_by: SeenBy) -> Drift | None:
    """What is found there now, by that; its row is held until the transaction ends."""
    here = (drifts.c.environment == environment) & (drifts.c.model == model) & (drifts.c.seen_by == seen_by.value)
    row = tx.execute(_OPEN.where(here).with_for_update()).one_or_none()
    return _drift(row) if row is not None else None


def list_open(
    tx: Transaction,
    *,
    environment: str | None = None,
    model: str | None = None,
    models: Collection[str] | None = None,
    limit: int | None = None,
) -> list[Drift]:
    """Everything that is found now, oldest first; of models, too, that no run was ever about."""
    query = _OPEN.order_by(drifts.c.found_at, drifts.c.id).limit(limit)
    if models is not None:
        query = query.where(drifts.c.model.in_(sorted(models)))
    if environment is not None:
        query = query.where(drifts.c.environment == environment)
    if model is not None:
        query = query.where(drifts.c.model == model)
    return [_drift(row) for row in tx.execute(query)]


def _drift(row: Row[Any]) -> Drift:
    values = {name: getattr(row, name) for name in _FIELDS}
    kind = DeploymentKind(row.signed_kind) if row.signed_kind is not None else None
    return Drift(**{**values, "seen_by": SeenBy(row.seen_by), "signed_kind": kind})
