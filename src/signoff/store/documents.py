"""Documents of the administrator's that are read whole: one row each, and the versions that it had.

Imported by `store.people` and `store.environments`, which know what is in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.version import digest_json
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import document_versions, documents

_CACHE: dict[str, tuple[str, Any]] = {}
_DIGEST = select(documents.c.digest).where(documents.c.name == bindparam("name"))
_DIGEST_HELD = _DIGEST.with_for_update(read=True)


def find_digest(tx: Transaction, name: str) -> str | None:
    """The digest of the document; None when there is none yet."""
    return tx.scalar(_DIGEST, {"name": name})


def set_document(
    tx: Transaction, name: str, document: Any, *, at: datetime, audit: Sequence[AuditEvent], digest: str | None = None
) -> bool:
    """Make `document` the one of that name; False when it already is. `digest` is that of its content by default."""
    digest = digest or digest_json(document)
    if find_digest(tx, name) == digest:
        return False
    row = {"name": name, "digest": digest, "document": document, "applied_at": at}
    statement = upsert(documents).values(row)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
    add_events(tx, audit)
    return True


def get_document(tx: Transaction, name: str, adapter: TypeAdapter[Any], *, hold: bool = False) -> Any:
    """The document, read again only when its digest changed since this process last saw it; None when there is none.

    With `hold` nobody changes it until the transaction ends.
    """
    digest = tx.scalar(_DIGEST_HELD if hold else _DIGEST, {"name": name})
    return known_document(tx, name, digest, adapter) if digest is not None else None


def known_document(tx: Transaction, name: str, digest: str, adapter: TypeAdapter[Any]) -> Any:
    """The document, whose digest was just read, read again only when this process last saw another one."""
    key = f"{name}/{digest}"
    known = _CACHE.get(name)
    if known is None or known[0] != key:
        document = tx.scalar(select(documents.c.document).where(documents.c.name == name))
        known = _CACHE[name] = (f"{name}/{digest_json(document)}", adapter.validate_python(document))
    return known[1]


def lock_document(tx: Transaction, name: str, document: Any, *, at: datetime) -> None:
    """Hold the document against change, and readers who hold it too; `document` is it when there is none yet."""
    row = {"name": name, "digest": digest_json(document), "document": document, "applied_at": at}
    tx.execute(upsert(documents).values(row).on_conflict_do_nothing())
    tx.execute(select(documents.c.name).where(documents.c.name == name).with_for_update())


def add_version(tx: Transaction, name: str, document: Any, *, by: str, at: datetime) -> int:
    """Keep `document` as the next version of that name, which the caller holds; returns its number."""
    newest = tx.scalar(select(func.max(document_versions.c.number)).where(document_versions.c.name == name))
    number = int(newest or 0) + 1
    row = {"name": name, "number": number, "digest": digest_json(document), "document": document}
    tx.execute(insert(document_versions).values({**row, "applied_by": by, "applied_at": at}))
    return number


def list_versions(tx: Transaction, name: str, *, limit: int) -> list[tuple[int, str, datetime, Any]]:
    """(number, by, at, document) of the newest versions, newest first."""
    query = (
        select(document_versions)
        .where(document_versions.c.name == name)
        .order_by(document_versions.c.number.desc())
        .limit(limit)
    )
    return [(row.number, row.applied_by, row.applied_at, row.document) for row in tx.execute(query)]
