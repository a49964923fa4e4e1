"""Revoked approvals: kept for good, and in force until the version is approved anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from signoff.domain.audit import AuditEvent
from signoff.domain.environment import Environment
from signoff.domain.revocation import Revocation
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import revocations

_NEWEST = "SELECT DISTINCT ON (model, version) * FROM revocations WHERE model = ANY(:models)"
_ORDER = " ORDER BY model, version, at DESC"
_MODELS = bindparam("models", type_=ARRAY(Text))

# Approved anew: an attempt about the version whose gates all closed after the revocation, none of them still to come.
_IN_FORCE = text(
    f"SELECT r.* FROM ({_NEWEST}{_ORDER}) r WHERE NOT EXISTS ("  # noqa: S608 - constants of this file  # nosec B608
    " SELECT 1 FROM gates g WHERE g.model = r.model AND g.subject ->> 'version' = r.version"
    " AND g.status = 'approved' AND g.closed_at > r.at"
    " AND (CAST(:place AS text) IS NULL OR g.subject ->> 'environment' = :place)"
    " AND NOT EXISTS (SELECT 1 FROM gates o WHERE o.run_id = g.run_id AND o.attempt = g.attempt"
    "  AND o.status = 'approved' AND o.closed_at <= r.at)"
    " AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.run_id = g.run_id AND s.attempt = g.attempt"
    "  AND s.type = 'approval' AND s.status NOT IN ('succeeded', 'skipped')))"
).bindparams(_MODELS)

_IS_APPROVED = text(
    "SELECT EXISTS (SELECT 1 FROM gates g LEFT JOIN decisions d ON d.gate_id = g.id"
    " WHERE g.model = :model AND g.subject ->> 'version' = :version AND (g.status = 'approved'"
    " OR (g.status = 'open' AND d.verdict = 'approve' AND NOT d.is_withdrawn)))"
)
_NEWEST_APPROVAL = text(
    "SELECT max(g.closed_at) FROM gates g"
    " WHERE g.model = :model AND g.subject ->> 'version' = :version AND g.status = 'approved'"
)
_OF_VERSION = text("SELECT * FROM revocations WHERE model = :model AND version = :version ORDER BY at DESC LIMIT 1")


def add_revocation(tx: Transaction, revocation: Revocation, *, audit: Sequence[AuditEvent]) -> None:
    """Take back what was approved of a version so far."""
    tx.execute(insert(revocations).values({name: getattr(revocation, name) for name in Revocation.__slots__}))
    add_events(tx, audit)


def find_newest(tx: Transaction, model: str, version: str) -> Revocation | None:
    """The newest revocation of the version, whether or not it was approved anew since: what gates are judged by."""
    row = tx.execute(_OF_VERSION, {"model": model, "version": version}).one_or_none()
    return _revocation(row) if row is not None else None


def list_in_force(
    tx: Transaction, models: Sequence[str], *, place: Environment | None = None
) -> dict[tuple[str, str], Revocation]:
    """(model, version) -> the revocation that is in force, for the versions of these models that have one.

    Asked about a `place` that has rules for people, only an approval for that place ends one: elsewhere fewer people,
    or others, may suffice.
    """
    if not models:
        return {}
    name = place.name if place is not None and place.rules else None
    rows = tx.execute(_IN_FORCE, {"models": sorted(set(models)), "place": name})
    return {(row.model, row.version): _revocation(row) for row in rows}


def is_approved(tx: Transaction, model: str, version: str) -> bool:
    """Whether somebody's approval of the version stands anywhere: there is something to revoke."""
    return bool(tx.scalar(_IS_APPROVED, {"model": model, "version": version}))


def newest_approval(tx: Transaction, model: str, version: str) -> datetime | None:
    """When a gate about the version was approved last, by the clock of whoever closed it; None when none was."""
    found: datetime | None = tx.scalar(_NEWEST_APPROVAL, {"model": model, "version": version})
    return found


def _revocation(row: Row[Any]) -> Revocation:
    return Revocation(row.id, row.model, row.version, row.digest, row.by, row.at, row.why)
