"""Passkeys and the challenges that they answer, as rows. A challenge is answered once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from signoff.domain.account import Passkey
from signoff.domain.audit import AuditEvent
from signoff.store.account_tables import challenges, passkeys
from signoff.store.audit import add_events
from signoff.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a passkey is asked to sign, of whom and for what. `digest` is of what the answer is bound to."""

    id: str
    person: str
    purpose: str
    digest: str | None
    nonce: bytes
    created_at: datetime
    expires_at: datetime


def add_passkey(tx: Transaction, passkey: Passkey, *, audit: Sequence[AuditEvent]) -> None:
    """Keep a passkey."""
    tx.execute(
        insert(passkeys).values(
            id=passkey.id,
            person=passkey.person,
            name=passkey.name,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
            transports=list(passkey.transports),
            created_at=passkey.created_at,
        )
    )
    add_events(tx, audit)


def list_passkeys(tx: Transaction, person: str) -> list[Passkey]:
    """The passkeys of `person`, oldest first."""
    mine = select(passkeys).where(passkeys.c.person == person)
    return [_passkey(row) for row in tx.execute(mine.order_by(passkeys.c.created_at, passkeys.c.id))]


def find_passkey(tx: Transaction, passkey_id: str) -> Passkey | None:
    """The passkey of that id, whoever's; None when there is none."""
    row = tx.execute(select(passkeys).where(passkeys.c.id == passkey_id)).one_or_none()
    return _passkey(row) if row is not None else None


def note_use(tx: Transaction, passkey_id: str, sign_count: int, *, at: datetime) -> None:
    """Remember that the passkey was used."""
    mine = passkeys.c.id == passkey_id
    tx.execute(update(passkeys).where(mine).values(sign_count=sign_count, last_used_at=at))


def remove_passkey(tx: Transaction, passkey_id: str, *, audit: Sequence[AuditEvent]) -> None:
    """Forget a passkey."""
    tx.execute(delete(passkeys).where(passkeys.c.id == passkey_id))
    add_events(tx, audit)


def add_challenge(tx: Transaction, challenge: Challenge) -> None:
    """Keep a challenge; those that are too old go."""
    tx.execute(delete(challenges).where(challenges.c.expires_at < challenge.created_at))
    names = ("id", "person", "purpose", "digest", "created_at", "expires_at")
    row = {name: getattr(challenge, name) for name in names}
    tx.execute(insert(challenges).values(**row, challenge=challenge.nonce))


def take_challenge(tx: Transaction, challenge_id: str, purpose: str, *, at: datetime) -> Challenge | None:
    """The challenge of that id and purpose, used up by that; None when there is none, or it is too old."""
    mine = (challenges.c.id == challenge_id) & (challenges.c.purpose == purpose)
    row = tx.execute(delete(challenges).where(mine).returning(*challenges.c)).one_or_none()
    if row is None or row.expires_at <= at:
        return None
    return Challenge(row.id, row.person, row.purpose, row.digest, bytes(row.challenge), row.created_at, row.expires_at)


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        id=row.id,
        person=row.person,
        name=row.name,
        public_key=bytes(row.public_key),
        sign_count=row.sign_count,
        transports=tuple(row.transports),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )
