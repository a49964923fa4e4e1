"""Short ways to write the audit events that the engine's writes name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from signoff.domain.actor import SYSTEM
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.run import Run


def event(kind: Event, run: Run, at: datetime, /, *, actor: str = SYSTEM.name, **detail: Any) -> AuditEvent:
    """One event about `run`; `detail` is plain JSON."""
    return AuditEvent(kind, actor, at, run.id, run.model, {"attempt": run.attempt.number, **detail})
