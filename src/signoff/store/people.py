"""People, environments and credentials, as the administrator's files were last applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.actor import Credential, Directory
from signoff.domain.audit import AuditEvent
from signoff.domain.environment import LOCAL, Environment
from signoff.domain.version import digest_json
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import credentials, documents, idempotency_keys

_CACHE: dict[str, tuple[str, Any]] = {}
_DIGEST = select(documents.c.digest).where(documents.c.name == bindparam("name"))
_CREDENTIAL = select(credentials.c.person, credentials.c.kind).where(
    credentials.c.sha256 == bindparam("sha256"), credentials.c.revoked_at.is_(None)
)


def set_directory(tx: Transaction, directory: Directory, *, at: datetime, audit: Sequence[AuditEvent]) -> bool:
    """Make `directory` what everybody sees; False when it already is."""
    return _set(tx, "people", codec.plain(codec.DIRECTORY, directory), at=at, audit=audit)


def get_directory(tx: Transaction) -> Directory:
    """Everybody the server knows, now."""
    found = _get(tx, "people", codec.DIRECTORY)
    return found if found is not None else Directory()


def set_environments(
    tx: Transaction, environments: dict[str, Environment], *, at: datetime, audit: Sequence[AuditEvent]
) -> bool:
    """Make `environments` the ones there are; False when they already are."""
    return _set(tx, "environments", codec.plain(codec.ENVIRONMENTS, environments), at=at, audit=audit)


def get_environments(tx: Transaction) -> dict[str, Environment]:
    """Every environment by name; ``local`` is always there."""
    found = _get(tx, "environments", codec.ENVIRONMENTS)
    return found if found is not None else {LOCAL.name: LOCAL}


def _set(tx: Transaction, name: str, document: Any, *, at: datetime, audit: Sequence[AuditEvent]) -> bool:
    digest = digest_json(document)
    if tx.scalar(select(documents.c.digest).where(documents.c.name == name)) == digest:
        return False
    row = {"name": name, "digest": digest, "document": document, "applied_at": at}
    statement = upsert(documents).values(row)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
    add_events(tx, audit)
    return True


def _get(tx: Transaction, name: str, adapter: TypeAdapter[Any]) -> Any:
    """The document, read again only when its digest changed since this process last saw it."""
    digest = tx.scalar(_DIGEST, {"name": name})
    if digest is None:
        return None
    key = f"{name}/{digest}"
    known = _CACHE.get(name)
    if known is None or known[0] != key:
        document = tx.scalar(select(documents.c.document).where(documents.c.name == name))
        known = _CACHE[name] = (f"{name}/{digest_json(document)}", adapter.validate_python(document))
    return known[1]


def add_credential(tx: Transaction, sha256: str, person: str, kind: Credential, *, at: datetime) -> None:
    """Let the secret with this hash stand for `person`."""
    row = {"sha256": sha256, "person": person, "kind": kind.value, "created_at": at}
    tx.execute(upsert(credentials).values(row).on_conflict_do_nothing())


def find_credential(tx: Transaction, sha256: str) -> tuple[str, Credential] | None:
    """Whom the secret with this hash stands for, and as what; None when nobody."""
    row = tx.execute(_CREDENTIAL, {"sha256": sha256}).one_or_none()
    return (row.person, Credential(row.kind)) if row is not None else None


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
