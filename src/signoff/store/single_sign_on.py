"""Sign-ins that have left for the identity provider and are expected back, each once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, update

from signoff.domain.audit import AuditEvent
from signoff.store.account_tables import accounts, oidc_states
from signoff.store.audit import add_events
from signoff.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Departure:
    """One sign-in on its way. `browser` is the hash of what only that browser has."""

    browser: str
    nonce: str
    verifier: str
    return_to: str
    created_at: datetime
    expires_at: datetime


def add_departure(tx: Transaction, sha256: str, departure: Departure) -> None:
    """Keep a departure under the hash of its state; those that are too old go."""
    tx.execute(delete(oidc_states).where(oidc_states.c.expires_at < departure.created_at))
    names = ("browser", "nonce", "verifier", "return_to", "created_at", "expires_at")
    tx.execute(insert(oidc_states).values(sha256=sha256, **{name: getattr(departure, name) for name in names}))


def take_departure(tx: Transaction, sha256: str, *, at: datetime) -> Departure | None:
    """The departure whose state has this hash, which is used up by that; None when there is none, or it is too old."""
    row = tx.execute(delete(oidc_states).where(oidc_states.c.sha256 == sha256).returning(*oidc_states.c)).one_or_none()
    if row is None or row.expires_at <= at:
        return None
    return Departure(row.browser, row.nonce, row.verifier, row.return_to, row.created_at, row.expires_at)


def drop_subject(tx: Transaction, person: str, *, audit: tuple[AuditEvent, ...]) -> None:
    """Let no issuer vouch for `person` any more."""
    tx.execute(update(accounts).where(accounts.c.person == person).values(issuer=None, subject=None))
    add_events(tx, audit)
