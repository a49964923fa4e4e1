"""What the use-cases work with: the database, the registry, the blobs, a clock and the public address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from signoff.domain.account import Admission
from signoff.domain.actor import Actor
from signoff.domain.audit import AuditEvent, Event
from signoff.ports import Blobs, IdentityProvider, IdTokens, Registry
from signoff.store.database import Database


@dataclass(frozen=True)
class Desk:
    """Handed to every use-case. `unpack` safely extracts an uploaded archive into an empty folder."""

    database: Database
    registry: Registry
    blobs: Blobs
    clock: Callable[[], datetime]
    work: Path
    url: str
    unpack: Callable[[Path, Path], object]
    identity: IdentityProvider | None = None
    admission: Admission = field(default_factory=Admission)
    id_tokens: IdTokens | None = None


def happened(
    kind: Event, actor: Actor, at: datetime, run_id: str | None = None, model: str | None = None, **detail: Any
) -> AuditEvent:
    """The audit event of a use-case: `actor` did it. What an automation did by its token says so."""
    by = {"credential": actor.credential.value}
    if actor.automation is not None:
        by |= {"automation": actor.automation, "token": actor.credential_id or ""}
    return AuditEvent(kind, actor.name, at, run_id, model, {**by, **detail})
