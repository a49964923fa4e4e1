"""Gates in the engine: opening with a frozen subject, approval by policy, and making sure before going on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from signoff.domain.audit import AuditEvent, Event
from signoff.domain.deadlines import opening
from signoff.domain.environment import LOCAL, Environment
from signoff.domain.errors import MachineryError
from signoff.domain.evidence import Champion, Evidence
from signoff.domain.expression import Answer, may_auto_approve, parse
from signoff.domain.gate import POLICY_PREFIX, Decision, Gate, GateStatus, Subject, Verdict, evaluate
from signoff.domain.next_action import ConfirmGate, EndGateStep, OpenGate
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, TestStep
from signoff.domain.revocation import is_voided
from signoff.domain.run import Run, RunKind, RunStatus, StepStatus
from signoff.domain.version import ModelVersion
from signoff.engine.champion import find_champion, guarded_environment
from signoff.engine.events import event
from signoff.engine.machinery import LOG, Machinery, scratch_of
from signoff.engine.reapproval import renew_parent
from signoff.engine.testing import earlier_evidence, evidence_digests, judge_again, scope_of
from signoff.store import evidence, gates, people, revocations, runs
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


def open_gate(machinery: Machinery, run: Run, action: OpenGate) -> Run:
    """Freeze the subject, let the policy decide if it may, and otherwise wait for people."""
    step = action.step
    version = run.attempt.version
    if version is None:
        raise MachineryError(f"{step.name} has no model version to approve.", "Submit one, or train before it.")
    position = run.pipeline.position(step.name)
    champion = find_champion(machinery, run, position) if step.auto_approve_if else None
    at = machinery.clock()
    with machinery.database.begin() as tx:
        environment = guarded_environment(tx, run, position, hold=True)
        accepts_claimed = (environment or get_environments(tx)[LOCAL.name]).accept_claimed
        found = list(earlier_evidence(run, position, evidence.list_evidence(tx, evidence_digests(run, position))))
        gate = _gate(run, step, position, environment, at)
        decision = None
        if step.auto_approve_if is not None:
            answer = may_auto_approve(
                parse(step.auto_approve_if), scope_of(run, version, found, champion[0] if champion else None)
            )
            why = _why_not_by_policy(tx, run, version, answer, accepts_claimed=accepts_claimed)
            if why is None:
                decision = Decision(
                    id=secrets.token_hex(8),
                    by=POLICY_PREFIX + run.pipeline.digest,
                    verdict=Verdict.APPROVE,
                    digest=gate.digest,
                    at=at,
                    comment=f"{step.auto_approve_if}: {answer.reason}",
                    saw=answer.seen,
                    is_claimed=not answer.is_measured,
                )
            else:
                gate = replace(gate, note=". ".join(filter(None, [gate.note, f"Not approved by policy: {why}"])))
        gates.add_gate(tx, gate, audit=[event(Event.GATE_OPENED, run, at, **_said(gate))])
        if decision is not None:
            gate = _decide_by_policy(tx, run, gate, decision, at)
        run = runs.set_step(tx, run, step.name, status=StepStatus.WAITING, at=at, audit=[])
        if gate.status is GateStatus.OPEN:
            run = runs.set_run(tx, run, status=RunStatus.WAITING, at=at, audit=[], step=step.name)
        return replace(run, gates=(*run.gates, gate))


def _why_not_by_policy(
    tx: Transaction, run: Run, version: ModelVersion, answer: Answer, *, accepts_claimed: bool
) -> str | None:
    """Why the policy does not approve, in words; None when it does. What people took back or skipped, people judge."""
    if not answer:
        return answer.reason
    if not (answer.is_measured or accepts_claimed):
        return "its metrics are claimed, and the environment wants measured"
    if run.kind is RunKind.AFTER_REVIEW:
        return "it was deployed without review, and people are to look at it"
    revoked = revocations.list_in_force(tx, [version.model]).get((version.model, version.version))
    return revoked.words if revoked is not None else None


def _gate(run: Run, step: ApprovalStep, position: int, environment: Environment | None, at: datetime) -> Gate:
    former = run.gate(step.name)
    guards = environment is not None and run.pipeline.is_last_gate_before_deployment(position)
    # Who broke the glass does not review it, whatever the pipeline allows.
    may_all = step.allow_self_approval and run.kind is not RunKind.AFTER_REVIEW
    contributors = tuple(sorted({run.submitter, *run.attempt.contributors}))
    deadlines = opening(step, at)
    if run.kind is RunKind.AFTER_REVIEW:
        deadlines = deadlines._replace(expires_at=None)  # what it is about has a deadline of its own
    return Gate(
        id=secrets.token_hex(8),
        run_id=run.id,
        step=step.name,
        attempt=run.attempt.number,
        round=former.round + 1 if former is not None else 1,
        status=GateStatus.OPEN,
        subject=subject_of(run, position, environment.name if environment else None),
        rules=step.rules,
        opened_at=at,
        environment_rules=environment.rules if environment is not None and guards else (),
        excluded=() if may_all else contributors,
        contributors=contributors,
        checklist=step.checklist,
        note=f"Opened again: {former.note}" if former is not None and former.note else "",
        on_timeout=step.on_timeout,
        escalate_to=step.escalate_to,
        remind_every=step.remind_every,
        valid_for=step.valid_for if run.kind is not RunKind.REAPPROVAL else None,
        **deadlines._asdict(),
    )


def subject_of(run: Run, position: int, environment: str | None) -> Subject:
    """What a gate at step number `position` approves, from the run as it is now."""
    version = run.attempt.version
    if version is None:
        raise ValueError("a subject needs a version")
    return Subject(
        model=version.model,
        version=version.version,
        manifest_digest=version.digest,
        evidence_digests=tuple(evidence_digests(run, position)),
        pipeline_digest=run.pipeline.digest,
        environment=environment,
        attempt=run.attempt.number,
    )


def _said(gate: Gate) -> dict[str, Any]:
    return {"step": gate.step, "gate": gate.id, "digest": gate.digest, "round": gate.round, "note": gate.note}


def _decide_by_policy(tx: Transaction, run: Run, gate: Gate, decision: Decision, at: datetime) -> Gate:
    """Record the policy's approval; the gate closes if that is enough. Returns it as it is then."""
    decided = AuditEvent(
        Event.GATE_DECIDED,
        decision.by,
        at,
        run.id,
        run.model,
        {**_said(gate), "verdict": decision.verdict.value, "comment": decision.comment, "saw": dict(decision.saw)},
    )
    gates.add_decision(tx, gate, decision, audit=[decided])
    evaluation = evaluate(gate, [decision], people.get_directory(tx), earlier=earlier_approvals(tx, run, gate))
    if evaluation.status is not GateStatus.OPEN:
        closed = event(Event.GATE_CLOSED, run, at, **_said(gate), status=evaluation.status.value)
        return gates.set_gate(tx, gate, status=evaluation.status, at=at, audit=[closed])
    return gate


def earlier_approvals(tx: Transaction, run: Run, gate: Gate) -> list[Decision]:
    """Approvals of this attempt's earlier gates about the same bytes and environment."""
    if not gate.environment_rules:
        return []
    position = run.pipeline.position(gate.step)
    same = [
        other
        for other in run.gates
        if other.status is GateStatus.APPROVED
        and run.pipeline.position(other.step) < position
        and other.subject.manifest_digest == gate.subject.manifest_digest
        and other.subject.environment == gate.subject.environment
    ]
    decided = gates.list_decisions(tx, [other.id for other in same])
    return [d for other in same for d in decided[other.id] if d.digest == other.digest]


def confirm_gate(machinery: Machinery, run: Run, action: ConfirmGate) -> Run:
    """The rules were satisfied: check again who approved, the bytes and the champion; then the step succeeds."""
    gate, version = action.gate, run.attempt.version
    if version is None:
        raise ValueError("a gate without a version")
    position = run.pipeline.position(action.step.name)
    found = _present_version(machinery, run, version)
    if found.digest != gate.subject.manifest_digest:
        words = f"the model's bytes changed (approved {gate.subject.manifest_digest}, found {found.digest})"
        return void_gate(machinery, run, gate, words, version=found)
    moved = _champion_says_otherwise(machinery, run, position)
    if moved is not None:
        return void_gate(machinery, run, gate, moved, retest=True)
    at = machinery.clock()
    with machinery.database.begin() as tx:
        decided = gates.list_decisions(tx, [gate.id])[gate.id]
        evaluation = evaluate(gate, decided, people.get_directory(tx), earlier=earlier_approvals(tx, run, gate))
        revoked = revocations.find_newest(tx, version.model, version.version)
        why = "somebody who approved may no longer decide here"
        if revoked is not None and is_voided(gate, revoked):
            why = revoked.words
        elif evaluation.status is GateStatus.APPROVED:
            renew_parent(tx, run, action.step, gate, at)
            approved = event(Event.STEP_SUCCEEDED, run, at, step=action.step.name, digest=gate.digest)
            return runs.set_step(tx, run, action.step.name, status=StepStatus.SUCCEEDED, at=at, audit=[approved])
    return void_gate(machinery, run, gate, why)


def _present_version(machinery: Machinery, run: Run, version: ModelVersion) -> ModelVersion:
    """The version with the digest of its bytes as they are in the registry now."""
    copy = machinery.folder_of(scratch_of(run), "confirm")
    try:
        return replace(version, digest=machinery.registry.fetch(version, copy).digest)
    finally:
        machinery.clean(scratch_of(run), "confirm")


def _champion_says_otherwise(machinery: Machinery, run: Run, position: int) -> str | None:
    """When the champion moved since the evidence was taken and a check now answers otherwise: that, in words."""
    with machinery.database.begin() as tx:
        found = list(earlier_evidence(run, position, evidence.list_evidence(tx, evidence_digests(run, position))))
    users = [item for item in found if any(check.uses_champion for check in item.checks)]
    if not users or run.attempt.version is None:
        return None
    present = find_champion(machinery, run, position)
    champion = present[0] if present is not None else None
    for item in users:
        if (item.champion.digest if item.champion else None) == (champion.digest if champion else None):
            continue
        changed = _changed_answers(run, run.attempt.version, item, found, champion)
        if changed:
            name = f"v{champion.version}" if champion is not None else "gone"
            return f"the champion is {name} now, and {', '.join(changed)} answers otherwise"
    return None


def _changed_answers(
    run: Run, version: ModelVersion, item: Evidence, found: Sequence[Evidence], champion: Champion | None
) -> list[str]:
    """The names of the checks of `item` that answer otherwise with `champion`."""
    step = run.pipeline.step(item.step)
    before = {check.name: check.status for check in item.checks}
    now = judge_again(step, scope_of(run, version, found, champion), item) if isinstance(step, TestStep) else {}
    return [name for name, status in now.items() if status is not before.get(name)]


def void_gate(
    machinery: Machinery,
    run: Run,
    gate: Gate,
    why: str,
    *,
    version: ModelVersion | None = None,
    retest: bool = False,
    also: Sequence[tuple[str, StepStatus]] = (),
) -> Run:
    """The approval no longer stands: the gate opens again, after new tests where their evidence is void too.

    `version` is given when the bytes changed: everything from the first test on is done anew about these bytes.
    `also` are further steps to set back, with the status they go to.
    """
    LOG.warning("approval void", run=run.id, step=gate.step, why=why)
    at = machinery.clock()
    position = run.pipeline.position(gate.step)
    with machinery.database.begin() as tx:
        if version is not None:
            recorded = event(Event.VERSION_RECORDED, run, at, version=version.version, digest=version.digest, why=why)
            runs.set_version(tx, run, version, contributors=run.attempt.contributors, audit=[recorded])
        for index, step in enumerate(run.pipeline.steps):
            state = run.attempt.step(step.name).status
            is_stale_test = isinstance(step, TestStep) and (version is not None or (retest and index < position))
            is_stale_gate = isinstance(step, ApprovalStep) and (step.name == gate.step or version is not None)
            # What was deployed before are other bytes: they have to pass through that environment, too.
            is_stale_place = isinstance(step, DeploymentStep) and version is not None and state is StepStatus.SUCCEEDED
            if not (is_stale_test or is_stale_gate or is_stale_place):
                continue
            stale = run.gate(step.name) if isinstance(step, ApprovalStep) else None
            if stale is not None and stale.status in {GateStatus.APPROVED, GateStatus.OPEN}:
                voided = event(Event.GATE_VOIDED, run, at, **{**_said(stale), "note": why})
                gates.set_gate(tx, stale, status=GateStatus.VOID, at=at, audit=[voided], note=why)
            if state in {StepStatus.PENDING, StepStatus.SKIPPED}:
                continue  # pending with an approved gate: confirming it errored and was retried
            reset = event(Event.STEP_RESET, run, at, step=step.name, why=why)
            runs.set_step(
                tx, run, step.name, status=StepStatus.PENDING, at=at, audit=[reset], evidence_digest=None, note=why
            )
        for name, status in also:
            runs.set_step(tx, run, name, status=status, at=at, audit=[event(Event.STEP_RESET, run, at, step=name)])
        if run.status is not RunStatus.RUNNING:
            runs.set_run(tx, run, status=RunStatus.RUNNING, at=at, audit=[])
        return runs.get_run(tx, run.id)


def end_gate_step(machinery: Machinery, run: Run, action: EndGateStep) -> Run:
    """Somebody said no: the step ends `rejected`."""
    at = machinery.clock()
    rejected = event(Event.STEP_REJECTED, run, at, step=action.step.name, status=action.gate.status.value)
    with machinery.database.begin() as tx:
        return runs.set_step(tx, run, action.step.name, status=StepStatus.REJECTED, at=at, audit=[rejected])
