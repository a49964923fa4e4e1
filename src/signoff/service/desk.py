"""What the use-cases work with: the database, the registry, the blobs, a clock and the public address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from signoff.domain.account import Admission
from signoff.domain.actor import Actor, Credential
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.secret import Secret
from signoff.ports import Arrivals, Blobs, Chat, IdentityProvider, IdTokens, Registry
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
    chat: Chat | None = None
    arrivals: Arrivals | None = None
    hook_secret: Secret | None = None
    """What MLflow's webhooks are signed with."""


def happened(
    kind: Event, actor: Actor, at: datetime, run_id: str | None = None, model: str | None = None, **detail: Any
) -> AuditEvent:
    """The audit event of a use-case: `actor` did it. What an automation did, or somebody in a chat, says so."""
    by = {"credential": actor.credential.value}
    if actor.credential is Credential.CHAT:
        by |= {"chat": actor.credential_id or ""}
    if actor.automation is not None:
        by |= {"automation": actor.automation, "token": actor.credential_id or ""}
    return AuditEvent(kind, actor.name, at, run_id, model, {**by, **detail})
