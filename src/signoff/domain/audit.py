"""Audit events: what happened, by whom, when. Written in the transaction of the change, never changed after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Event(StrEnum):
    """Every event type: ``noun.past_verb``."""

    RUN_SUBMITTED = "run.submitted"
    RUN_RESUBMITTED = "run.resubmitted"
    RUN_RETRIED = "run.retried"
    RUN_CANCELLED = "run.cancelled"
    RUN_COMMENTED = "run.commented"
    RUN_CHANGES_REQUESTED = "run.changes_requested"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_REJECTED = "run.rejected"
    RUN_ERRORED = "run.errored"
    RUN_EXPIRED = "run.expired"
    RUN_SUPERSEDED = "run.superseded"
    ATTEMPT_STARTED = "attempt.started"
    STEP_STARTED = "step.started"
    STEP_SUCCEEDED = "step.succeeded"
    STEP_FAILED = "step.failed"
    STEP_ERRORED = "step.errored"
    STEP_HANDED_BACK = "step.handed_back"
    STEP_SKIPPED = "step.skipped"
    STEP_REJECTED = "step.rejected"
    STEP_QUEUED = "step.queued"
    STEP_RESET = "step.reset"
    GATE_OPENED = "gate.opened"
    GATE_DECIDED = "gate.decided"
    GATE_CLOSED = "gate.closed"
    GATE_WITHDRAWN = "gate.withdrawn"
    GATE_VOIDED = "gate.voided"
    GATE_CANCELLED = "gate.cancelled"
    GATE_RULES_CHANGED = "gate.rules_changed"
    GATE_REMINDED = "gate.reminded"
    GATE_ESCALATED = "gate.escalated"
    GATE_EXPIRED = "gate.expired"
    APPROVAL_EXPIRING = "approval.expiring"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_RENEWED = "approval.renewed"
    APPROVAL_REVOKED = "approval.revoked"
    ANSWERS_RECORDED = "answers.recorded"
    DELEGATION_ADDED = "delegation.added"
    DELEGATION_ENDED = "delegation.ended"
    GLASS_REQUESTED = "glass.requested"
    GLASS_CONFIRMED = "glass.confirmed"
    GLASS_BROKEN = "glass.broken"
    GLASS_FAILED = "glass.failed"
    GLASS_SETTLED = "glass.settled"
    GLASS_ESCALATED = "glass.escalated"
    GLASS_RETURNED = "glass.returned"
    GLASS_CANCELLED = "glass.cancelled"
    VERSION_RECORDED = "version.recorded"
    DEPLOYMENT_STARTED = "deployment.started"
    DEPLOYMENT_SUCCEEDED = "deployment.succeeded"
    DEPLOYMENT_FAILED = "deployment.failed"
    DEPLOYMENT_REFUSED = "deployment.refused"
    DEPLOYMENT_ROLLED_BACK = "deployment.rolled_back"
    DEPLOYMENT_UNAPPROVED = "deployment.unapproved"
    DEPLOYMENT_RESTORED = "deployment.restored"
    DEPLOYMENT_ADOPTED = "deployment.adopted"
    ADOPTION_SETTLED = "adoption.settled"
    ADOPTION_ESCALATED = "adoption.escalated"
    PEOPLE_APPLIED = "people.applied"
    PERSON_ADDED = "person.added"
    PERSON_CHANGED = "person.changed"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_ACTIVATED = "person.activated"
    PERSON_LINKED = "person.linked"
    PERSON_UNLINKED = "person.unlinked"
    GROUP_CHANGED = "group.changed"
    GROUP_REMOVED = "group.removed"
    PRIVACY_CHANGED = "privacy.changed"
    SESSION_OPENED = "session.opened"
    SESSION_RENEWED = "session.renewed"
    SESSION_REVOKED = "session.revoked"
    TOKEN_MADE = "token.made"  # noqa: S105 - the name of an event, not a secret
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - likewise
    TOKEN_EXCHANGED = "token.exchanged"  # noqa: S105 - likewise
    PIPELINE_REGISTERED = "pipeline.registered"
    PIPELINE_REMOVED = "pipeline.removed"
    PIPELINE_HELD = "pipeline.held"
    PIPELINE_REFUSED = "pipeline.refused"
    TRUST_ADDED = "trust.added"
    TRUST_REMOVED = "trust.removed"
    DEVICE_APPROVED = "device.approved"
    DEVICE_DENIED = "device.denied"
    LINK_MADE = "link.made"
    LINK_USED = "link.used"
    PASSWORD_SET = "password.set"  # noqa: S105 - likewise
    IDENTITY_CONNECTED = "identity.connected"
    IDENTITY_DISCONNECTED = "identity.disconnected"
    PASSKEY_ADDED = "passkey.added"
    PASSKEY_REMOVED = "passkey.removed"
    CHAT_LINKED = "chat.linked"
    CHAT_UNLINKED = "chat.unlinked"
    ENVIRONMENTS_APPLIED = "environments.applied"
    TARGET_ADDED = "target.added"
    TARGET_TESTED = "target.tested"
    TARGET_PAUSED = "target.paused"
    TARGET_RESUMED = "target.resumed"
    TARGET_REMOVED = "target.removed"
    DELIVERY_REPEATED = "delivery.repeated"
    PREFERENCES_CHANGED = "preferences.changed"
    SNAPSHOT_UPLOADED = "snapshot.uploaded"
    BLOBS_COLLECTED = "blobs.collected"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One entry: `actor` did `type`; about which run, gate or model; details as plain JSON."""

    type: Event
    actor: str
    at: datetime
    run_id: str | None = None
    model: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    index: int | None = None
