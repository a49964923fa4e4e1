"""How people sign in: password hashes, identities of an issuer, one-time links, and the attempts that failed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.account import Link, Purpose
from signoff.domain.audit import AuditEvent
from signoff.store.account_tables import accounts, attempts_to_sign_in, links, passkeys
from signoff.store.audit import add_events
from signoff.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Account:
    """How one person signs in. Without a hash there is no password, without a subject no issuer that vouches."""

    person: str
    password_hash: str | None = None
    password_changed_at: datetime | None = None
    issuer: str | None = None
    subject: str | None = None
    passkeys: int = 0


def find_account(tx: Transaction, person: str) -> Account | None:
    """How `person` signs in; None when they never could."""
    row = tx.execute(select(accounts).where(accounts.c.person == person)).one_or_none()
    count = tx.scalar(select(func.count()).select_from(passkeys).where(passkeys.c.person == person)) or 0
    return _account(row, count) if row is not None else None


def find_account_of_subject(tx: Transaction, issuer: str, subject: str) -> Account | None:
    """The account that `issuer` vouches for under `subject`."""
    mine = (accounts.c.issuer == issuer) & (accounts.c.subject == subject)
    row = tx.execute(select(accounts).where(mine)).one_or_none()
    return _account(row, 0) if row is not None else None


def list_who_can_sign_in(tx: Transaction, people: Collection[str]) -> list[str]:
    """Those of `people` who have a password or an issuer."""
    has_one = accounts.c.password_hash.is_not(None) | accounts.c.subject.is_not(None)
    return sorted(tx.scalars(select(accounts.c.person).where(accounts.c.person.in_(list(people)), has_one)))


def set_password_hash(
    tx: Transaction, person: str, password_hash: str, *, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """Let `person` sign in with the password of this hash, and with no former one."""
    row = {"person": person, "password_hash": password_hash, "password_changed_at": at, "created_at": at}
    changed = {"password_hash": password_hash, "password_changed_at": at}
    tx.execute(upsert(accounts).values(row).on_conflict_do_update(index_elements=["person"], set_=changed))
    add_events(tx, audit)


def rehash_password(tx: Transaction, person: str, former: str, password_hash: str) -> None:
    """Keep the same password under a stronger hash."""
    mine = (accounts.c.person == person) & (accounts.c.password_hash == former)
    tx.execute(update(accounts).where(mine).values(password_hash=password_hash))


def set_subject(
    tx: Transaction, person: str, issuer: str, subject: str, *, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """Let `issuer` vouch for `person` under `subject`."""
    row = {"person": person, "issuer": issuer, "subject": subject, "created_at": at}
    changed = {"issuer": issuer, "subject": subject}
    tx.execute(upsert(accounts).values(row).on_conflict_do_update(index_elements=["person"], set_=changed))
    add_events(tx, audit)


def add_link(tx: Transaction, link: Link, sha256: str, *, audit: Sequence[AuditEvent]) -> None:
    """Keep a link; earlier unused ones for the same purpose and person are good for nothing from now on."""
    same = (links.c.purpose == link.purpose.value) & links.c.person.is_not_distinct_from(link.person)
    tx.execute(delete(links).where(same, links.c.used_at.is_(None)))
    names = ("id", "person", "by", "created_at", "expires_at")
    row = {name: getattr(link, name) for name in names}
    tx.execute(insert(links).values(**row, purpose=link.purpose.value, sha256=sha256))
    add_events(tx, audit)


def find_link(tx: Transaction, sha256: str, *, at: datetime) -> Link | None:
    """The link whose secret has this hash, when it may still be used at `at`."""
    good = (links.c.sha256 == sha256) & links.c.used_at.is_(None) & (links.c.expires_at > at)
    row = tx.execute(select(links).where(good)).one_or_none()
    return _link(row) if row is not None else None


def use_link(tx: Transaction, sha256: str, *, at: datetime) -> Link | None:
    """Use the link up; None when it may not be used (any more): of several who try, one does."""
    good = (links.c.sha256 == sha256) & links.c.used_at.is_(None) & (links.c.expires_at > at)
    row = tx.execute(update(links).where(good).values(used_at=at).returning(*links.c)).one_or_none()
    return _link(row) if row is not None else None


def drop_links(tx: Transaction, *, purpose: Purpose | None = None, person: str | None = None) -> None:
    """Make the unused links of that purpose, or to that person, good for nothing."""
    query = delete(links).where(links.c.used_at.is_(None))
    if purpose is not None:
        query = query.where(links.c.purpose == purpose.value)
    if person is not None:
        query = query.where(links.c.person == person)
    tx.execute(query)


def add_attempt(tx: Transaction, kind: str, account: str, address: str, *, at: datetime) -> None:
    """Remember an attempt that failed; `account` is a hash of what was typed, for it may be a password."""
    tx.execute(insert(attempts_to_sign_in).values(kind=kind, account=account, address=address, at=at))


def count_attempts(tx: Transaction, kind: str, account: str, address: str, *, since: datetime) -> tuple[int, int, int]:
    """How often it failed since then: for this account from this address, for the account, and from the address."""
    table = attempts_to_sign_in.c
    mine, here = table.account == account, table.address == address
    counted = select(func.count().filter(mine & here), func.count().filter(mine), func.count().filter(here)).where(
        table.kind == kind, table.at > since, mine | here
    )
    both, of_account, of_address = tx.execute(counted).one()
    return int(both), int(of_account), int(of_address)


def forget_attempts(tx: Transaction, kind: str, account: str, address: str) -> None:
    """Forget what failed for this account from this address: somebody who knows the password came from there."""
    table = attempts_to_sign_in.c
    tx.execute(
        delete(attempts_to_sign_in).where(table.kind == kind, table.account == account, table.address == address)
    )


def forget_old_attempts(tx: Transaction, *, before: datetime) -> int:
    """Drop attempts older than `before`; returns how many."""
    return tx.execute(delete(attempts_to_sign_in).where(attempts_to_sign_in.c.at < before)).rowcount


def _account(row: Row[Any], count: int) -> Account:
    return Account(row.person, row.password_hash, row.password_changed_at, row.issuer, row.subject, count)


def _link(row: Row[Any]) -> Link:
    return Link(row.id, Purpose(row.purpose), row.person, row.by, row.created_at, row.expires_at, row.used_at)
