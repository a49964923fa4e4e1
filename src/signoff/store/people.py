"""People and credentials, as the administrator's file was last applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.actor import Credential, Directory, Person
from signoff.domain.audit import AuditEvent
from signoff.store import codec
from signoff.store.database import Transaction
from signoff.store.documents import find_digest as find_document_digest
from signoff.store.documents import get_document, known_document, set_document
from signoff.store.tables import credentials, documents, idempotency_keys

_PEOPLE = "people"
_HOLDER = (
    select(credentials.c.person, credentials.c.kind, documents.c.digest)
    .join(documents, documents.c.name == _PEOPLE)
    .where(credentials.c.sha256 == bindparam("sha256"), credentials.c.revoked_at.is_(None))
)


def set_directory(tx: Transaction, directory: Directory, *, at: datetime, audit: Sequence[AuditEvent]) -> bool:
    """Make `directory` what everybody sees; False when it already is."""
    return set_document(tx, _PEOPLE, codec.plain(codec.DIRECTORY, directory), at=at, audit=audit)


def find_digest(tx: Transaction) -> str | None:
    """A word that is another one whenever the people are; None while there are none."""
    return find_document_digest(tx, _PEOPLE)


def get_directory(tx: Transaction) -> Directory:
    """Everybody the server knows, now."""
    found = get_document(tx, _PEOPLE, codec.DIRECTORY)
    return found if found is not None else Directory()


def add_credential(tx: Transaction, sha256: str, person: str, kind: Credential, *, at: datetime) -> None:
    """Let the secret with this hash stand for `person`."""
    row = {"sha256": sha256, "person": person, "kind": kind.value, "created_at": at}
    tx.execute(upsert(credentials).values(row).on_conflict_do_nothing())


def find_holder(tx: Transaction, sha256: str) -> tuple[Person, Credential] | None:
    """Whom the secret with this hash stands for, and as what; None when for nobody that the server knows now."""
    row = tx.execute(_HOLDER, {"sha256": sha256}).one_or_none()
    if row is None:
        return None
    directory: Directory = known_document(tx, _PEOPLE, row.digest, codec.DIRECTORY)
    person = directory.people.get(row.person)
    return (person, Credential(row.kind)) if person is not None else None


def remove_credentials(tx: Transaction, *, except_people: Iterable[str]) -> None:
    """Drop the credentials of everybody who is not among `except_people`."""
    tx.execute(delete(credentials).where(credentials.c.person.not_in(list(except_people))))


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
