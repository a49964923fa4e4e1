"""Who there is, as one document that every rule reads; and what a repeated request was answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.actor import Directory
from signoff.domain.audit import AuditEvent
from signoff.store import codec
from signoff.store.database import Transaction
from signoff.store.documents import add_version, get_document, known_document, lock_document, set_document
from signoff.store.documents import find_digest as find_document_digest
from signoff.store.tables import idempotency_keys

PEOPLE = "people"
"""The name of the document."""
_FILE = "people.yaml"


def set_directory(tx: Transaction, directory: Directory, *, by: str, at: datetime, audit: Sequence[AuditEvent]) -> bool:
    """Make `directory` what everybody sees, as its next version; False when it already is."""
    document = codec.plain(codec.DIRECTORY, directory)
    if not set_document(tx, PEOPLE, document, at=at, audit=audit):
        return False
    add_version(tx, PEOPLE, document, by=by, at=at)
    return True


def find_file_digest(tx: Transaction) -> str | None:
    """The digest of the people.yaml that was imported; None when none was."""
    return find_document_digest(tx, _FILE)


def set_file_digest(tx: Transaction, digest: str, *, at: datetime) -> None:
    """Remember that the people.yaml with this digest was imported."""
    set_document(tx, _FILE, {}, at=at, audit=(), digest=digest)


def find_digest(tx: Transaction) -> str | None:
    """A word that is another one whenever the people are; None while there are none."""
    return find_document_digest(tx, PEOPLE)


def get_directory(tx: Transaction, *, hold: bool = False) -> Directory:
    """Everybody the server knows, now. With `hold` nobody changes that until the transaction ends."""
    found = get_document(tx, PEOPLE, codec.DIRECTORY, hold=hold)
    return found if found is not None else Directory()


def known_directory(tx: Transaction, digest: str) -> Directory:
    """Everybody, when the digest of the people was just read."""
    found: Directory = known_document(tx, PEOPLE, digest, codec.DIRECTORY)
    return found


def lock_directory(tx: Transaction, *, at: datetime) -> Directory:
    """Everybody, held against everybody else who would change who there is."""
    lock_document(tx, PEOPLE, codec.plain(codec.DIRECTORY, Directory()), at=at)
    return get_directory(tx)


def remember_request(tx: Transaction, actor: str, key: str, request_digest: str, run_id: str, *, at: datetime) -> None:
    """Remember what an Idempotency-Key led to."""
    tx.execute(
        upsert(idempotency_keys).values(
            actor=actor, key=key, request_digest=request_digest, run_id=run_id, created_at=at
        )
    )


def lock_request(tx: Transaction, actor: str, key: str) -> tuple[str, str] | None:
    """(request digest, run id) of an earlier request with this key; later ones wait for this transaction."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{actor}/{key}", 0))))
    row = tx.execute(
        select(idempotency_keys.c.request_digest, idempotency_keys.c.run_id).where(
            idempotency_keys.c.actor == actor, idempotency_keys.c.key == key
        )
    ).one_or_none()
    return (row.request_digest, row.run_id) if row is not None else None


def forget_requests(tx: Transaction, *, before: datetime) -> int:
    """Drop Idempotency-Keys older than `before`; returns how many."""
    return tx.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < before)).rowcount
