"""What becomes of adopted versions: approved by their review, or told of when that says no or does not come in time."""

from __future__ import annotations

from datetime import datetime

from signoff.domain.actor import SYSTEM
from signoff.domain.adoption import Adoption, AdoptionStatus, outcome
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.environment import DeploymentStatus
from signoff.domain.run import Run
from signoff.engine.after_review import call_off
from signoff.engine.machinery import LOG, Machinery
from signoff.store import adoptions, deployments, runs
from signoff.store.database import Transaction


def attend(machinery: Machinery, now: datetime) -> None:
    """The tick's part: every adopted version that nobody has approved."""
    with machinery.database.begin() as tx:
        owed = adoptions.list_open(tx)
    for one in owed:
        with machinery.database.begin() as tx:
            _look_at(tx, one, now, machinery.clock())


def review_ended(machinery: Machinery, run: Run) -> None:
    """An after-review has ended; harmless where it is no adoption's."""
    at = machinery.clock()
    with machinery.database.begin() as tx:
        found = adoptions.list_of_runs(tx, [run.id]).get(run.id)
        if found is not None and found.ended_at is None:
            _look_at(tx, found, at, at)


def _look_at(tx: Transaction, found: Adoption, now: datetime, at: datetime) -> None:
    live = deployments.list_place(tx, found.environment, found.model, DeploymentStatus.LIVE)
    is_live = any(one.run_id == found.run_id for one in live)
    status, why = outcome(found, runs.get_run(tx, found.run_id).status, now, is_live=is_live)
    if status is found.status:
        return
    is_over = status in {AdoptionStatus.SETTLED, AdoptionStatus.LEFT}
    kind = Event.ADOPTION_SETTLED if is_over else Event.ADOPTION_ESCALATED
    LOG.info("an adopted version", about=found.label, status=status.value, why=why)
    moved = adoptions.set_adoption(
        tx, found, status, note=why, ended_at=at if is_over else None, audit=[event_of(kind, found, at, ending=why)]
    )
    if moved and status is AdoptionStatus.LEFT:
        call_off(tx, found.run_id, why, at=at)


def event_of(kind: Event, found: Adoption, at: datetime, *, actor: str = SYSTEM.name, **detail: str) -> AuditEvent:
    """An audit event about an adoption: it always names what, where, by whom and why."""
    about = {
        "environment": found.environment,
        "version": found.version,
        "digest": found.digest,
        "by": found.by,
        "why": found.why,
        "due_at": found.due_at.isoformat(),
        **detail,
    }
    return AuditEvent(kind, actor, at, found.run_id, found.model, about)
