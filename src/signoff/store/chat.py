"""Accounts of chats that are people here, the codes by which they come to be, and the calls that came already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.chat import ChatAccount, ChatUser
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.notification_tables import chat_accounts, chat_calls, chat_codes


def use_call(tx: Transaction, signature: str, *, expires_at: datetime) -> bool:
    """Use a signed call up; False when it came before: of several that are the same, one does."""
    row = {"signature": signature, "expires_at": expires_at}
    statement = upsert(chat_calls).values(row).on_conflict_do_nothing().returning(chat_calls.c.signature)
    return tx.scalar(statement) is not None


def forget_chat(tx: Transaction, *, before: datetime) -> None:
    """Drop calls and codes that were over before then."""
    tx.execute(delete(chat_calls).where(chat_calls.c.expires_at < before))
    tx.execute(delete(chat_codes).where(chat_codes.c.expires_at < before))


def add_code(tx: Transaction, sha256: str, who: ChatUser, *, expires_at: datetime) -> None:
    """Keep a code of `who`, in place of those that they had."""
    tx.execute(delete(chat_codes).where(chat_codes.c.team == who.team, chat_codes.c.user == who.user))
    tx.execute(insert(chat_codes).values(**_columns(who), sha256=sha256, expires_at=expires_at))


def find_code(tx: Transaction, sha256: str, *, at: datetime) -> ChatUser | None:
    """Whose code this is at that moment; None when it is nobody's, or too old."""
    found = select(chat_codes).where(chat_codes.c.sha256 == sha256, chat_codes.c.expires_at > at)
    row = tx.execute(found).one_or_none()
    return _who(row) if row is not None else None


def take_code(tx: Transaction, sha256: str, *, at: datetime) -> ChatUser | None:
    """The same, used up by that: of several who try, one has it."""
    mine = (chat_codes.c.sha256 == sha256) & (chat_codes.c.expires_at > at)
    row = tx.execute(delete(chat_codes).where(mine).returning(*chat_codes.c)).one_or_none()
    return _who(row) if row is not None else None


def add_account(tx: Transaction, account: ChatAccount, *, audit: Sequence[AuditEvent]) -> bool:
    """Keep that a user of a chat is a person here; False when they are somebody already."""
    row = {**_columns(account.who), "person": account.person, "linked_at": account.at}
    statement = upsert(chat_accounts).values(row).on_conflict_do_nothing().returning(chat_accounts.c.user)
    if tx.scalar(statement) is None:
        return False
    add_events(tx, audit)
    return True


def find_account(tx: Transaction, team: str, user: str, *, hold: bool = False) -> ChatAccount | None:
    """Who that user of a chat is here; None when they are nobody. With `hold` that stays so for the transaction."""
    query = select(chat_accounts).where(chat_accounts.c.team == team, chat_accounts.c.user == user)
    row = tx.execute(query.with_for_update(read=True) if hold else query).one_or_none()
    return _account(row) if row is not None else None


def list_accounts(tx: Transaction, *, person: str | None = None) -> list[ChatAccount]:
    """Every linked account by person; those of one `person`."""
    query = select(chat_accounts).order_by(chat_accounts.c.person, chat_accounts.c.team, chat_accounts.c.user)
    query = query.where(chat_accounts.c.person == person) if person is not None else query
    return [_account(row) for row in tx.execute(query)]


def remove_account(tx: Transaction, who: ChatUser, *, audit: Sequence[AuditEvent]) -> None:
    """That user of a chat is nobody here any more."""
    tx.execute(delete(chat_accounts).where(chat_accounts.c.team == who.team, chat_accounts.c.user == who.user))
    add_events(tx, audit)


def drop_accounts_of(tx: Transaction, person: str) -> None:
    """No user of a chat is `person` any more."""
    tx.execute(delete(chat_accounts).where(chat_accounts.c.person == person))


def _columns(who: ChatUser) -> dict[str, str]:
    return {"team": who.team, "user": who.user, "name": who.name, "team_name": who.team_name}


def _who(row: Row[Any]) -> ChatUser:
    return ChatUser(row.team, row.user, row.name, row.team_name)


def _account(row: Row[Any]) -> ChatAccount:
    return ChatAccount(_who(row), row.person, row.linked_at)
