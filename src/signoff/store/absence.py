"""Who stands in for whom, and when. Delegations are ended, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from signoff.domain.absence import Delegation
from signoff.domain.audit import AuditEvent
from signoff.domain.errors import ConflictError, NotFoundError
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import delegations


def add_delegation(tx: Transaction, delegation: Delegation, *, at: datetime, audit: Sequence[AuditEvent]) -> None:
    """Keep a delegation."""
    tx.execute(
        insert(delegations).values(
            id=delegation.id,
            person=delegation.person,
            delegate=delegation.delegate,
            since=delegation.since,
            until=delegation.until,
            by=delegation.by,
            created_at=at,
        )
    )
    add_events(tx, audit)


def lock_person(tx: Transaction, person: str) -> None:
    """Hold what `person` delegates until the end of the transaction, so that two absences cannot overlap."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"absence/{person}", 0))))


def end_delegation(tx: Transaction, delegation: Delegation, *, at: datetime, audit: Sequence[AuditEvent]) -> None:
    """From `at` on it holds no more; ConflictError when it was ended before."""
    mine = (delegations.c.id == delegation.id) & delegations.c.ended_at.is_(None)
    if tx.execute(update(delegations).where(mine).values(ended_at=at)).rowcount != 1:
        raise ConflictError(f"The delegation {delegation.id} was ended before.", "There is nothing to end.")
    add_events(tx, audit)


def get_delegation(tx: Transaction, delegation_id: str) -> Delegation:
    """The delegation called `delegation_id`; NotFoundError when there is none."""
    row = tx.execute(select(delegations).where(delegations.c.id == delegation_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"No delegation is called {delegation_id}.", "`signoff delegate --list` shows them.")
    return _delegation(row)


def list_delegations(
    tx: Transaction, *, person: str | None = None, after: datetime | None = None, limit: int = 1000
) -> list[Delegation]:
    """Delegations in the order of their beginning; `after` leaves out those that were over then."""
    query = select(delegations).order_by(delegations.c.since, delegations.c.id).limit(limit)
    if person is not None:
        query = query.where(delegations.c.person == person)
    if after is not None:
        over = func.coalesce(delegations.c.ended_at, delegations.c.until)
        query = query.where(delegations.c.until > after, over > after)
    return [_delegation(row) for row in tx.execute(query)]


def list_present(tx: Transaction, at: datetime) -> list[Delegation]:
    """The delegations that hold at the moment `at`."""
    return [found for found in list_delegations(tx, after=at) if found.covers(at)]


def _delegation(row: Row[Any]) -> Delegation:
    return Delegation(row.id, row.person, row.delegate, row.since, row.until, row.by, row.ended_at)
