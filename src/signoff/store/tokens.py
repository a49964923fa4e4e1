"""API tokens as rows: found by the sha256 of their secret, never by the secret itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.account import LOCAL_LASTS, ApiToken
from signoff.domain.actor import SYSTEM, Directory, Scope
from signoff.domain.audit import AuditEvent
from signoff.store.account_tables import tokens
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.people import PEOPLE, known_directory
from signoff.store.tables import documents

_FIND = (
    select(tokens, documents.c.digest.label("people"))
    .join(documents, documents.c.name == PEOPLE)
    .where(tokens.c.sha256 == bindparam("sha256"))
)
_USED = update(tokens).where(tokens.c.id == bindparam("its_id")).values(last_used_at=bindparam("at"))


def add_token(tx: Transaction, token: ApiToken, sha256: str, *, audit: Sequence[AuditEvent]) -> None:
    """Keep a token, whose secret has this hash."""
    names = ("id", "person", "name", "by", "created_at", "expires_at", "automation")
    row = {name: getattr(token, name) for name in names}
    tx.execute(insert(tokens).values(**row, scopes=sorted(token.scopes), sha256=sha256))
    add_events(tx, audit)


def find_token(tx: Transaction, sha256: str) -> tuple[ApiToken, Directory] | None:
    """The token whose secret has this hash, over or not, and everybody the server knows; None when there is none."""
    row = tx.execute(_FIND, {"sha256": sha256}).one_or_none()
    return None if row is None else (_token(row), known_directory(tx, row.people))


def touch_token(tx: Transaction, token_id: str, *, at: datetime) -> None:
    """Remember that the token was used at `at`."""
    tx.execute(_USED, {"its_id": token_id, "at": at})


def list_tokens(tx: Transaction, person: str | None = None, *, limit: int = 500) -> list[ApiToken]:
    """Tokens that were not revoked, newest first; of everybody without a `person`."""
    query = select(tokens).where(tokens.c.revoked_at.is_(None))
    if person is not None:
        query = query.where(tokens.c.person == person)
    return [_token(row) for row in tx.execute(query.order_by(tokens.c.created_at.desc(), tokens.c.id).limit(limit))]


def get_token(tx: Transaction, token_id: str) -> ApiToken | None:
    """The token of that id; None when there is none."""
    row = tx.execute(select(tokens).where(tokens.c.id == token_id)).one_or_none()
    return _token(row) if row is not None else None


def revoke_token(tx: Transaction, token_id: str, *, at: datetime, audit: Sequence[AuditEvent]) -> None:
    """Make the token good for nothing, now."""
    tx.execute(update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=at))
    add_events(tx, audit)


def revoke_tokens_of(tx: Transaction, person: str, *, at: datetime) -> int:
    """Revoke every token of `person`; returns how many."""
    mine = (tokens.c.person == person) & tokens.c.revoked_at.is_(None)
    return tx.execute(update(tokens).where(mine).values(revoked_at=at)).rowcount


def end_local_tokens(tx: Transaction, *, place: str, but: Collection[str], at: datetime) -> None:
    """End the token files of `place` (a folder of a machine) whose secrets have other hashes than these."""
    gone = (tokens.c.by == SYSTEM.name) & (tokens.c.name == place)
    gone &= tokens.c.sha256.not_in(list(but)) & tokens.c.revoked_at.is_(None)
    tx.execute(update(tokens).where(gone).values(revoked_at=at))


def set_local_tokens(tx: Transaction, hashes: Mapping[str, str], *, place: str, at: datetime) -> None:
    """Let these token files of `place` stand for their people: `hashes` is the sha256 of each person's secret."""
    for person, sha256 in hashes.items():
        row = {
            "id": sha256[:12],
            "sha256": sha256,
            "person": person,
            "name": place,
            "scopes": [Scope.READ.value, Scope.SUBMIT.value],
            "by": SYSTEM.name,
            "created_at": at,
            "expires_at": at + LOCAL_LASTS,
        }
        is_other = tokens.c.revoked_at.is_not(None) | (tokens.c.name != place)
        again = {"revoked_at": None, "name": place}
        statement = upsert(tokens).values(row)
        tx.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=again, where=is_other))


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        person=row.person,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        by=row.by,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        automation=row.automation,
    )
