"""Evidence of steps, comments, and the content-addressed files that rows refer to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import any_, bindparam, func, insert, or_, select, union
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import Text

from signoff.domain.audit import AuditEvent
from signoff.domain.evidence import Evidence
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import comments, evidence, evidence_files, predictions, runs, snapshots, steps

# Built once: putting a statement together costs several times what sending it does.
_ADD = upsert(evidence).on_conflict_do_nothing()
_DOCUMENTS = select(evidence.c.digest, evidence.c.document).where(
    evidence.c.digest == any_(bindparam("digests", type_=ARRAY(Text)))
)


def add_evidence(tx: Transaction, run_id: str, found: Evidence, *, at: datetime) -> str:
    """Keep the evidence under its digest, which is returned. Part of the write that ends its step."""
    digest = found.digest
    row = {
        "digest": digest,
        "run_id": run_id,
        "attempt": found.attempt,
        "step": found.step,
        "document": codec.plain(codec.EVIDENCE, found),
        "created_at": at,
        "test_set": found.test_set.digest if found.test_set is not None else None,
    }
    tx.execute(_ADD, row)
    files = [{"evidence_digest": digest, "path": f.path, "digest": f.digest} for f in found.files]
    if files:
        tx.execute(upsert(evidence_files).on_conflict_do_nothing(), files)
    return digest


def list_evidence(tx: Transaction, digests: Sequence[str]) -> dict[str, Evidence]:
    """Digest -> evidence, for those that are there."""
    if not digests:
        return {}
    found = tx.execute(_DOCUMENTS, {"digests": list(digests)})
    return {row.digest: codec.EVIDENCE.validate_python(row.document) for row in found}


def count_looks(tx: Transaction, model: str, test_set: str, *, run_id: str, attempt: int) -> int:
    """How often `model` was judged on the rows `test_set`, this attempt included; testing it again is no other look."""
    c = evidence.c
    looks = (
        select(c.run_id, c.attempt)
        .join(runs, runs.c.id == c.run_id)
        .where(c.test_set == test_set, runs.c.model == model, or_(c.run_id != run_id, c.attempt != attempt))
        .distinct()
        .subquery()
    )
    return 1 + int(tx.scalar(select(func.count()).select_from(looks)) or 0)


def find_predictions(tx: Transaction, key: str) -> tuple[str, str] | None:
    """The file that is kept under `key`: its name and its blob's digest. `key` says which bytes, by which command."""
    query = select(predictions.c.name, predictions.c.digest).where(predictions.c.key == key)
    row = tx.execute(query).one_or_none()
    return (str(row.name), str(row.digest)) if row is not None else None


def add_predictions(tx: Transaction, key: str, name: str, digest: str, *, at: datetime) -> None:
    """Keep under `key` that its predictions are the blob `digest`; the first ones stay."""
    row = {"key": key, "name": name, "digest": digest, "created_at": at}
    tx.execute(upsert(predictions).values(row).on_conflict_do_nothing())


def add_snapshot(
    tx: Transaction, digest: str, size: int, by: str, *, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """Record that the packed folder `digest` is kept; `size` in bytes."""
    row = {"digest": digest, "size": size, "uploaded_by": by, "created_at": at}
    added = upsert(snapshots).values(row).on_conflict_do_nothing().returning(snapshots.c.digest)
    if tx.scalar(added) is not None:
        add_events(tx, audit)


def has_snapshot(tx: Transaction, digest: str) -> bool:
    """Whether the packed folder `digest` was uploaded."""
    return find_snapshot_size(tx, digest) is not None


def find_snapshot_size(tx: Transaction, digest: str) -> int | None:
    """The size in bytes of the packed folder `digest`; None when it was not uploaded."""
    size = tx.scalar(select(snapshots.c.size).where(snapshots.c.digest == digest))
    return int(size) if size is not None else None


def referenced_blobs(tx: Transaction, digests: Sequence[str]) -> set[str]:
    """Those of `digests` that some row still needs."""
    query = union(
        select(runs.c.snapshot_digest).where(runs.c.snapshot_digest.in_(digests)),
        select(snapshots.c.digest).where(snapshots.c.digest.in_(digests)),
        select(evidence_files.c.digest).where(evidence_files.c.digest.in_(digests)),
        select(steps.c.log_digest).where(steps.c.log_digest.in_(digests)),
        select(predictions.c.digest).where(predictions.c.digest.in_(digests)),
    )
    return {str(digest) for digest in tx.scalars(query)}


def add_comment(tx: Transaction, comment: dict[str, Any], *, audit: Sequence[AuditEvent]) -> None:
    """Keep one remark: id, run_id, by, body, at."""
    tx.execute(insert(comments).values(comment))
    add_events(tx, audit)


def size_of_comments(tx: Transaction, run_id: str) -> tuple[int, int]:
    """How many remarks the run has, and how many characters together."""
    query = select(func.count(), func.coalesce(func.sum(func.length(comments.c.body)), 0))
    many, letters = tx.execute(query.where(comments.c.run_id == run_id)).one()
    return int(many), int(letters)


def list_comments(tx: Transaction, run_id: str) -> list[dict[str, Any]]:
    """The run's remarks, oldest first."""
    query = select(comments).where(comments.c.run_id == run_id).order_by(comments.c.at, comments.c.id)
    return [dict(row._mapping) for row in tx.execute(query)]  # noqa: SLF001 - the documented way to a dict
