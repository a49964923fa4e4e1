"""Environments as they were last applied, every version that they had, and which start-up file was read last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from signoff.domain.audit import AuditEvent
from signoff.domain.environment import LOCAL, Environment
from signoff.store import codec
from signoff.store.database import Transaction
from signoff.store.documents import (
    add_version,
    find_digest,
    get_document,
    list_versions,
    lock_document,
    set_document,
)

_NAME = "environments"
_FILE = "environments.yaml"
_FIRST: Mapping[str, Environment] = {LOCAL.name: LOCAL}


@dataclass(frozen=True, slots=True)
class EnvironmentsVersion:
    """The environments as somebody applied them. `number` counts from 1."""

    number: int
    by: str
    at: datetime
    environments: Mapping[str, Environment]


def get_environments(tx: Transaction, *, hold: bool = False) -> dict[str, Environment]:
    """Every environment by name, ``local`` among them. With `hold` nobody changes one until the transaction ends."""
    found = get_document(tx, _NAME, codec.ENVIRONMENTS, hold=hold)
    return found if found is not None else dict(_FIRST)


def lock_environments(tx: Transaction, *, at: datetime) -> dict[str, Environment]:
    """The environments, held against everybody else who would change them or open a gate by them."""
    lock_document(tx, _NAME, codec.plain(codec.ENVIRONMENTS, dict(_FIRST)), at=at)
    return get_environments(tx)


def set_environments(
    tx: Transaction, environments: Mapping[str, Environment], *, by: str, at: datetime, audit: Sequence[AuditEvent]
) -> bool:
    """Make `environments` the ones there are, as their next version; False when they already are."""
    document = codec.plain(codec.ENVIRONMENTS, dict(environments))
    if not set_document(tx, _NAME, document, at=at, audit=audit):
        return False
    add_version(tx, _NAME, document, by=by, at=at)
    return True


def list_environments_versions(tx: Transaction, *, limit: int = 200) -> list[EnvironmentsVersion]:
    """The versions that were applied, newest first."""
    return [
        EnvironmentsVersion(number, by, at, codec.ENVIRONMENTS.validate_python(document))
        for number, by, at, document in list_versions(tx, _NAME, limit=limit)
    ]


def find_file_digest(tx: Transaction) -> str | None:
    """The digest of the start-up file that was applied last; None when none ever was."""
    return find_digest(tx, _FILE)


def set_file_digest(tx: Transaction, digest: str, *, at: datetime) -> None:
    """Remember that the start-up file with this digest was applied."""
    set_document(tx, _FILE, {}, at=at, audit=(), digest=digest)
