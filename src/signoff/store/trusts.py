"""Trusted CI jobs as rows, and the id tokens that were exchanged already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.trust import System, Trust
from signoff.store.account_tables import tokens, trusts, used_id_tokens
from signoff.store.audit import add_events
from signoff.store.database import Transaction

BY = "trust:"
"""What the `by` of a token begins with that a job got, before the name of its trust."""


def add_trust(tx: Transaction, trust: Trust, *, audit: Sequence[AuditEvent]) -> None:
    """Keep a trust."""
    names = ("name", "issuer", "audience", "repository_id", "workflow_ref", "environment", "person", "by", "created_at")
    row = {name: getattr(trust, name) for name in names}
    tx.execute(insert(trusts).values(**row, system=trust.system.value))
    add_events(tx, audit)


def list_trusts(tx: Transaction, *, issuer: str | None = None, hold: bool = False) -> list[Trust]:
    """Every trust by name; of one `issuer`. With `hold` none of them goes until the transaction ends."""
    query = select(trusts).order_by(trusts.c.name)
    if issuer is not None:
        query = query.where(trusts.c.issuer == issuer)
    return [_trust(row) for row in tx.execute(query.with_for_update(read=True) if hold else query)]


def remove_trust(tx: Transaction, name: str, *, at: datetime, audit: Sequence[AuditEvent]) -> bool:
    """Trust these jobs no longer, and end the tokens that they have; False when there is no such trust."""
    if tx.execute(delete(trusts).where(trusts.c.name == name)).rowcount == 0:
        return False
    theirs = (tokens.c.by == BY + name) & tokens.c.revoked_at.is_(None)
    tx.execute(update(tokens).where(theirs).values(revoked_at=at))
    add_events(tx, audit)
    return True


def use_id_token(tx: Transaction, issuer: str, number: str, *, expires_at: datetime) -> bool:
    """Use the id token up; False when it was used before: of several who try, one does."""
    row = {"issuer": issuer, "number": number, "expires_at": expires_at}
    statement = upsert(used_id_tokens).values(row).on_conflict_do_nothing().returning(used_id_tokens.c.number)
    return tx.scalar(statement) is not None


def forget_used_id_tokens(tx: Transaction, *, before: datetime) -> int:
    """Drop the numbers of id tokens that were over before then; returns how many."""
    return tx.execute(delete(used_id_tokens).where(used_id_tokens.c.expires_at < before)).rowcount


def forget_exchanged_tokens(tx: Transaction, *, before: datetime) -> int:
    """Drop the tokens of jobs that were over before then: the audit log keeps who did what by them."""
    old = tokens.c.by.startswith(BY, autoescape=True) & (tokens.c.expires_at < before)
    return tx.execute(delete(tokens).where(old)).rowcount


def _trust(row: Row[Any]) -> Trust:
    return Trust(
        name=row.name,
        system=System(row.system),
        issuer=row.issuer,
        audience=row.audience,
        repository_id=row.repository_id,
        workflow_ref=row.workflow_ref,
        environment=row.environment,
        person=row.person,
        by=row.by,
        created_at=row.created_at,
    )
