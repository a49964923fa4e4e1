"""What each person chose about being told, and the secret word of the link that ends their mails."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.preferences import DEFAULT, Preferences
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.notification_tables import preferences

_PREFERENCES = TypeAdapter(Preferences)


def list_preferences(tx: Transaction) -> dict[str, Preferences]:
    """Person -> what they chose, for everybody who chose something."""
    chosen = select(preferences.c.person, preferences.c.document).where(preferences.c.document.is_not(None))
    return {row.person: _PREFERENCES.validate_python(row.document, strict=False) for row in tx.execute(chosen)}


def get_preferences(tx: Transaction, person: str) -> Preferences:
    """What `person` chose, or what holds for who chose nothing."""
    document = tx.scalar(select(preferences.c.document).where(preferences.c.person == person))
    return _PREFERENCES.validate_python(document, strict=False) if document is not None else DEFAULT


def set_preferences(tx: Transaction, person: str, chosen: Preferences, *, audit: Sequence[AuditEvent]) -> None:
    """Keep what `person` chose."""
    document = codec.plain(_PREFERENCES, chosen)
    row = upsert(preferences).values(person=person, document=document, unsubscribe=_new_word())
    tx.execute(row.on_conflict_do_update(index_elements=["person"], set_={"document": document}))
    add_events(tx, audit)


def unsubscribe_word(tx: Transaction, person: str) -> str:
    """The word in the link that ends the mails of `person`, made when there is none yet."""
    known = select(preferences.c.unsubscribe).where(preferences.c.person == person)
    found = tx.scalar(known)
    if found is None:
        tx.execute(upsert(preferences).values(person=person, unsubscribe=_new_word()).on_conflict_do_nothing())
        found = tx.scalar(known)
    return str(found)


def find_by_word(tx: Transaction, word: str) -> str | None:
    """Whose mails this word ends; None when it is nobody's."""
    return tx.scalar(select(preferences.c.person).where(preferences.c.unsubscribe == word))


def _new_word() -> str:
    return secrets.token_urlsafe(24)
