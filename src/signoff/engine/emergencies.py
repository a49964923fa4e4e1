"""What becomes of emergencies: deployed, reviewed in time, or else escalated or returned to what was live before.

`look_at` is the one place that moves an emergency on once it is deployed. It reads everything anew and is harmless to
repeat: the tick asks it for every debt once a minute; the end of an after-review and a deployment by hand, at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from signoff.domain.actor import SYSTEM, Directory, Role
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.deployment_errors import EmergencyClosedError, NoFormerVersionError
from signoff.domain.emergency import (
    IN_DEBT,
    Emergency,
    EmergencyStatus,
    Outcome,
    has_lapsed,
    outcome,
)
from signoff.domain.environment import BreakGlass, Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.errors import SignoffError
from signoff.domain.gate import Gate
from signoff.domain.revocation import bar, former_of
from signoff.domain.run import Run
from signoff.engine.after_review import call_off
from signoff.engine.events import event
from signoff.engine.history import history_of
from signoff.engine.jobs import wake_by_hand, wake_run
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.settling import settle
from signoff.store import deployments, emergencies, people, runs
from signoff.store.database import Transaction
from signoff.store.environments import get_environments

_UNKNOWN_RULE = BreakGlass(())
"""What holds where the administrator has taken the rule away meanwhile: its defaults."""


def set_broken(tx: Transaction, deployment: Deployment, environment: Environment, *, at: datetime) -> None:
    """The emergency's version is live: from now on its review is owed."""
    found = emergencies.find_of_deployment(tx, deployment.id)
    if found is None or found.run_id is None:
        raise ValueError(f"the deployment {deployment.id} belongs to no emergency")
    due = at + (environment.break_glass or _UNKNOWN_RULE).expires
    broken = event_of(
        Event.GLASS_BROKEN,
        found,
        at,
        digest=found.digest,
        due_at=due.isoformat(),
        confirmed_by=list(found.confirmed_by),
    )
    LOG.warning("the glass is broken", emergency=found.id, about=found.label, people=found.people, why=found.why)
    emergencies.set_emergency(tx, found, EmergencyStatus.DEPLOYED, audit=[broken], due_at=due)
    wake_run(tx, found.run_id)


def set_not_broken(tx: Transaction, deployment: Deployment, why: str, *, at: datetime) -> None:
    """The emergency's version could not be deployed: nothing is owed."""
    found = emergencies.find_of_deployment(tx, deployment.id)
    if found is None or found.run_id is None:
        raise ValueError(f"the deployment {deployment.id} belongs to no emergency")
    failed = event_of(Event.GLASS_FAILED, found, at, ending=why)
    emergencies.set_emergency(tx, found, EmergencyStatus.FAILED, audit=[failed], ended_at=at, note=why)
    call_off(tx, found.run_id, "the emergency deployment failed", at=at)


def attend(machinery: Machinery, now: datetime) -> None:
    """The tick's part: requests that nobody confirmed, and every debt."""
    with machinery.database.begin() as tx:
        environments = get_environments(tx)
        for waiting in emergencies.list_emergencies(tx, [EmergencyStatus.REQUESTED]):
            environment = environments.get(waiting.environment)
            rule = (environment.break_glass if environment is not None else None) or _UNKNOWN_RULE
            if has_lapsed(waiting, rule.expires, now):
                why = f"not confirmed within {rule.expires}"
                cancelled = event_of(Event.GLASS_CANCELLED, waiting, now, ending=why)
                with suppress(EmergencyClosedError):  # confirmed or cancelled this very moment
                    emergencies.set_emergency(
                        tx, waiting, EmergencyStatus.CANCELLED, audit=[cancelled], ended_at=now, note=why
                    )
        owed = emergencies.list_emergencies(tx, IN_DEBT)
    for one in owed:
        look_at(machinery, one.id, now)


def look_at_all(machinery: Machinery, environment: str, model: str) -> None:
    """Look at the debts of one place: something was deployed there."""
    with machinery.database.begin() as tx:
        owed = emergencies.list_emergencies(tx, IN_DEBT, environment=environment, model=model)
    for one in owed:
        look_at(machinery, one.id)


def review_ended(machinery: Machinery, run: Run) -> None:
    """An after-review has ended: its emergency is settled, or overdue at once."""
    with machinery.database.begin() as tx:
        found = emergencies.find_of_run(tx, run.id)
    if found is not None and found.is_in_debt:
        look_at(machinery, found.id)


def look_at(machinery: Machinery, emergency_id: str, now: datetime | None = None) -> None:
    """Do what is to be done about a debt now, if anything is; `now` judges its deadline, which only the tick does."""
    at = machinery.clock()
    with machinery.database.begin() as tx:
        found = emergencies.get_emergency(tx, emergency_id, lock=True)
        if not found.is_in_debt or found.run_id is None or found.deployment_id is None:
            return
        if found.status is EmergencyStatus.RETURNING and _still_returning(tx, found, at):
            return
        found = emergencies.get_emergency(tx, emergency_id)
        mine = deployments.get_deployment(tx, found.deployment_id or "")
        if not found.is_in_debt:
            return
        if mine.status is not DeploymentStatus.LIVE:
            _was_replaced(tx, found, at)
            return
        what, why = outcome(found, runs.get_run(tx, found.run_id or "").status, now)
        if what is Outcome.SETTLE:
            settled = event_of(Event.GLASS_SETTLED, found, at, ending=why)
            emergencies.set_emergency(tx, found, EmergencyStatus.SETTLED, audit=[settled], ended_at=at, note=why)
        elif what is Outcome.OVERDUE:
            _overdue(tx, found, why, at)


def _still_returning(tx: Transaction, found: Emergency, at: datetime) -> bool:
    """Whether the return is under way; one that failed is escalated, because nobody else would hear of it."""
    back = deployments.find_of_key(tx, _key(found))
    if back is not None and back.status in {DeploymentStatus.FAILED, DeploymentStatus.UNHEALTHY}:
        _escalate(tx, found, f"{found.note}; and v{back.version} could not be brought back: {back.note}", at)
        return True
    return back is not None and back.status is DeploymentStatus.DEPLOYING


def _was_replaced(tx: Transaction, found: Emergency, at: datetime) -> None:
    """Something else is live there: what was not reviewed serves nobody any more."""
    live = deployments.find_live(tx, found.environment, found.model)
    is_approved = live is not None and live.kind is DeploymentKind.RUN and live.digest == found.digest
    status = EmergencyStatus.SETTLED if is_approved else EmergencyStatus.RETURNED
    if found.status is EmergencyStatus.RETURNING and is_approved:
        status = EmergencyStatus.RETURNED
    why = (
        f"run {live.run_id} approved it"
        if is_approved and live
        else f"v{live.version if live else '?'} serves there now"
    )
    why = f"{found.note}; {why}" if found.note else why
    kind = Event.GLASS_SETTLED if status is EmergencyStatus.SETTLED else Event.GLASS_RETURNED
    emergencies.set_emergency(tx, found, status, audit=[event_of(kind, found, at, ending=why)], ended_at=at, note=why)
    if found.run_id is not None:
        call_off(tx, found.run_id, why, at=at)


def _overdue(tx: Transaction, found: Emergency, why: str, at: datetime) -> None:
    environment = get_environments(tx).get(found.environment)
    rule = (environment.break_glass if environment is not None else None) or _UNKNOWN_RULE
    if rule.on_expiry == "escalate":
        _escalate(tx, found, why, at)
        return
    try:
        begun = _begin_return(tx, found, why, at)
    except SignoffError as error:
        _escalate(tx, found, f"{why}; and there is no version to return to: {error.what.rstrip('.')}", at)
        return
    if begun:
        emergencies.set_emergency(tx, found, EmergencyStatus.RETURNING, audit=[], note=why)


def _begin_return(tx: Transaction, found: Emergency, why: str, at: datetime) -> bool:
    """Begin to bring back what was live before; False when another deployment has the place, to be tried again.

    Raises:
        SignoffError: nothing was live before, or it may not serve again.
    """
    if found.former_id is None:
        raise SignoffError("nothing was live there before.")
    former = _former(tx, found, deployments.get_deployment(tx, found.former_id))
    back = replace(
        former,
        id=secrets.token_hex(8),
        status=DeploymentStatus.DEPLOYING,
        kind=DeploymentKind.ROLLBACK,
        by=SYSTEM.name,
        started_at=at,
        live_at=None,
        ended_at=None,
        address=None,
        note=f"returned to the former version: {why}",
    )
    started = AuditEvent(
        Event.DEPLOYMENT_STARTED,
        SYSTEM.name,
        at,
        former.run_id,
        former.model,
        {"environment": former.environment, "version": former.version, "why": back.note, "emergency": found.id},
    )
    version = deployments.get_version(tx, former.id)
    if deployments.begin_deployment(tx, back, version, _key(found), audit=[started]) is None:
        return False
    wake_by_hand(tx, back.id, back.environment, back.model)
    return True


def _former(tx: Transaction, found: Emergency, former: Deployment) -> Deployment:
    """What was live before, or where that may not serve (another emergency's, perhaps), what was before it.

    Raises:
        SignoffError: why `former` may not serve again, when nothing before it may either.
    """
    history = history_of(tx, found.environment, found.model)
    barred = bar(history, former)
    if barred is None:
        return former
    with suppress(NoFormerVersionError):
        return former_of(history, former)
    raise barred


def _escalate(tx: Transaction, found: Emergency, why: str, at: datetime) -> None:
    """Tell everybody, and let those who could break the glass, and the administrators, approve what still waits."""
    environment = get_environments(tx).get(found.environment)
    rule = (environment.break_glass if environment is not None else None) or _UNKNOWN_RULE
    to = (*rule.approvers, *_administrators(people.get_directory(tx)))
    escalated = event_of(Event.GLASS_ESCALATED, found, at, ending=why, to=list(to))
    LOG.warning("an emergency is not reviewed", emergency=found.id, about=found.label, why=why)
    emergencies.set_emergency(tx, found, EmergencyStatus.ESCALATED, audit=[escalated], note=why)
    run = runs.lock_run(tx, found.run_id or "")
    if run.open_gate is not None:
        _widen(tx, run, run.open_gate, to, at)


def _widen(tx: Transaction, run: Run, gate: Gate, to: Sequence[str], at: datetime) -> None:
    """Further people may approve from now on; with what was said already that may even suffice."""
    about = {"step": gate.step, "gate": gate.id, "digest": gate.digest}
    gate = replace(gate, escalate_to=tuple(dict.fromkeys((*gate.escalate_to, *to))), escalated_at=at)
    opened = event(Event.GATE_ESCALATED, run, at, **about, escalate_to=list(gate.escalate_to))
    emergencies.widen_gate(tx, gate, audit=[opened])
    settle(tx, run, gate, at=at, closed=lambda s: event(Event.GATE_CLOSED, run, at, **about, status=s.value))


def _administrators(directory: Directory) -> list[str]:
    return sorted(p.name for p in directory.people.values() if p.is_active and Role.ADMIN in p.roles)


def _key(found: Emergency) -> str:
    return f"return/{found.id}"


def event_of(kind: Event, found: Emergency, at: datetime, *, actor: str = SYSTEM.name, **detail: Any) -> AuditEvent:
    """An audit event about an emergency: it always names what, where, who wanted it and why."""
    about = {
        "emergency": found.id,
        "environment": found.environment,
        "version": found.version,
        "requested_by": found.requested_by,
        "confirmed_by": list(found.confirmed_by),
        "why": found.why,
        **detail,
    }
    return AuditEvent(kind, actor, at, found.run_id, found.model, about)
