"""The audit log: written beside every change, in its transaction; read by auditors and run pages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, func, insert, select

from signoff.domain.audit import AuditEvent, Event
from signoff.domain.evidence import to_plain
from signoff.store.database import HEARD, Transaction
from signoff.store.tables import audit_events

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered; it is written into every audit event."""

_INSERT = insert(audit_events)
_UNDER_WAY = 30
"""So many events at most are taken to be written at once."""
_NEWEST = select(func.max(audit_events.c.index))
_NEWEST_OF = _NEWEST.where(audit_events.c.run_id == bindparam("run_id"))
_LAST = select(audit_events.c.index).order_by(audit_events.c.index.desc()).limit(_UNDER_WAY)
_INSERT_NUMBERED = _INSERT.returning(audit_events.c.index, sort_by_parameter_order=True)


def add_events(tx: Transaction, events: Iterable[AuditEvent]) -> None:
    """Write `events`; called by every function of the store that changes something.

    Where the database is to tell of them, they are kept until the end of the transaction.
    """
    request = REQUEST_ID.get()
    written = list(events)
    rows = [
        {
            "type": event.type.value,
            "actor": event.actor,
            "at": event.at,
            "run_id": event.run_id,
            "model": event.model,
            "detail": to_plain({**event.detail, **({"request_id": request} if request else {})}),
        }
        for event in written
    ]
    heard = tx.get_execution_options().get(HEARD)
    if not rows:
        return
    if heard is None:
        tx.execute(_INSERT, rows)
    else:
        indexes = tx.scalars(_INSERT_NUMBERED, rows)
        heard += [replace(event, index=index) for event, index in zip(written, indexes, strict=True)]


def find_newest(tx: Transaction, run_id: str | None = None) -> int:
    """The index of the newest event, of one run where it is named; 0 while there is none."""
    found = tx.scalar(_NEWEST) if run_id is None else tx.scalar(_NEWEST_OF, {"run_id": run_id})
    return int(found or 0)


def find_settled(tx: Transaction) -> int:
    """The newest index up to which no event is still to come, as far as the last `_UNDER_WAY` tell; 0 without any.

    Indices are given before transactions commit, so a number left out may still come; it stays out where one was
    rolled back.
    """
    found = list(tx.scalars(_LAST))
    settled = found[-1] if found else 0
    for index in reversed(found):
        if index > settled + 1:
            break
        settled = index
    return int(settled)


def list_events(
    tx: Transaction,
    *,
    run_id: str | None = None,
    model: str | None = None,
    type: str | None = None,  # noqa: A002 - the column's name
    actor: str | None = None,
    after: int | None = None,
    newest_first: bool = False,
    hidden: Collection[str] = (),
    limit: int = 100,
) -> list[AuditEvent]:
    """Events in order of their index, without those of `hidden` models; `after` is the index of the last one seen."""
    table = audit_events.c
    query = select(audit_events).limit(limit)
    if hidden:
        query = query.where(table.model.is_(None) | table.model.not_in(list(hidden)))
    for column, value in ((table.run_id, run_id), (table.model, model), (table.type, type), (table.actor, actor)):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(table.index < after if newest_first else table.index > after)
    query = query.order_by(table.index.desc() if newest_first else table.index)
    return [_event(row) for row in tx.execute(query)]


def _event(row: Any) -> AuditEvent:
    return AuditEvent(Event(row.type), row.actor, row.at, row.run_id, row.model, row.detail, row.index)
