"""What must hold at the moment of a deployment, whatever happened before: the last word of the rules.

Every function takes what was read just now and answers in words; none of them trusts an earlier answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from signoff.domain.actor import Directory
from signoff.domain.deadlines import is_past, said
from signoff.domain.environment import Deployment, DeploymentKind, Environment
from signoff.domain.evidence import CheckStatus, Evidence, Provenance, Severity
from signoff.domain.gate import Decision, Gate, GateStatus, Subject, Verdict, evaluate
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, RuleSpec, Step
from signoff.domain.revocation import Revocation, revoked_gate
from signoff.domain.run import Run
from signoff.domain.span import span


def gates_before(run: Run, position: int) -> list[tuple[ApprovalStep, Gate | None]]:
    """The approval steps before step number `position`, with the newest round of each one's gate."""
    return [(step, run.gate(step.name)) for step in run.pipeline.steps[:position] if isinstance(step, ApprovalStep)]


def guarding_gate(run: Run, position: int) -> Gate | None:
    """The gate that carries the environment's rules for the deployment at `position`; None when none guards it.

    It is the last one before it, with no other deployment between the two.
    """
    for step in reversed(run.pipeline.steps[:position]):
        if isinstance(step, DeploymentStep):
            return None
        if isinstance(step, ApprovalStep):
            return run.gate(step.name)
    return None


def present_subject(run: Run, step: str, manifest_digest: str) -> Subject:
    """What the gate of `step` would approve if it opened now, about the bytes of `manifest_digest`."""
    position = run.pipeline.position(step)
    version, deployment = run.attempt.version, run.pipeline.deployment_after(position)
    found = (run.attempt.step(step.name).evidence_digest for step in run.pipeline.steps[:position])
    return Subject(
        model=version.model if version is not None else run.model,
        version=version.version if version is not None else "",
        manifest_digest=manifest_digest,
        evidence_digests=tuple(digest for digest in found if digest is not None),
        pipeline_digest=run.pipeline.digest,
        environment=deployment.environment if deployment is not None else None,
        attempt=run.attempt.number,
    )


def stale_gate(
    run: Run,
    position: int,
    decisions: Mapping[str, Sequence[Decision]],
    people: Directory,
    manifest_digest: str,
    environment: Environment | None = None,
) -> tuple[Gate, str] | None:
    """The first gate before `position` whose approval no longer stands, and why in words; None when all stand.

    `manifest_digest` is of the bytes that are about to be served. With `environment` the gate that guards it is held
    against the rules that it has now, not those that it had when the gate opened.
    """
    guard = guarding_gate(run, position) if environment is not None else None
    earlier: dict[str | None, list[Decision]] = {}
    for step, gate in gates_before(run, position):
        if gate is None or gate.status is not GateStatus.APPROVED:
            # Cannot happen while the steps run in order; refusing is right even so.
            raise ValueError(f"{step.name} has no approved gate before the deployment")
        if gate.subject.manifest_digest != manifest_digest:
            return gate, (
                f"the model's bytes changed after the approval (approved {gate.subject.manifest_digest}, "
                f"found {manifest_digest})"
            )
        changed = gate.subject.difference(present_subject(run, step.name, manifest_digest))
        if changed:
            return gate, f"{' and '.join(changed)} changed after the approval"
        # As when the gate closed: only approvals for the same environment count for its rules.
        passed = earlier.setdefault(gate.subject.environment, [])
        every = decisions.get(gate.id, ())
        asking = environment if environment is not None and gate.subject.environment == environment.name else None
        if step.step_up is not None:
            every = [decision for decision in every if not _is_unconfirmed(decision)]
        reasons = [uncounted(d, asking) if asking is not None else None for d in every]
        mine = [d for d, why in zip(every, reasons, strict=True) if why is None]
        held = replace(gate, environment_rules=environment.rules) if environment and gate is guard else gate
        evaluation = evaluate(held, mine, people, earlier=passed)
        if evaluation.status is not GateStatus.APPROVED:
            left_out = next(filter(None, reasons), None)
            if left_out is not None:
                return gate, left_out
            short = {state.rule for state in evaluation.rules if state.missing} - {*gate.rules, *gate.environment_rules}
            return gate, _now_demanded(held, short) or "somebody who approved may no longer decide here"
        passed += [d for d in mine if d.digest == gate.digest]
    return None


def uncounted(decision: Decision, environment: Environment) -> str | None:
    """Why `environment` does not count the decision, in words; None when it does.

    Approvals of people may have to be confirmed by a passkey, those of a policy to rest on measured metrics.
    """
    if decision.verdict is not Verdict.APPROVE:
        return None
    if decision.is_policy:
        is_refused = decision.is_claimed and not environment.accept_claimed
        why = f"{environment.name} now wants measured metrics, and the policy read claimed ones"
        return why if is_refused else None
    is_refused = environment.step_up is not None and _is_unconfirmed(decision)
    return f"{environment.name} now counts only approvals that a passkey confirmed" if is_refused else None


def _is_unconfirmed(decision: Decision) -> bool:
    """Whether a person approved, and no passkey of theirs confirmed it."""
    return decision.verdict is Verdict.APPROVE and not decision.is_policy and decision.passkey is None


def who_asks_for_passkey(step: Step, environment: Environment | None) -> str | None:
    """What counts an approval at `step` only when a passkey confirms it: the environment or the step; None: neither."""
    if environment is not None and environment.step_up is not None:
        return environment.name
    return step.name if isinstance(step, ApprovalStep) and step.step_up is not None else None


def _now_demanded(gate: Gate, rules: Collection[RuleSpec]) -> str:
    """That `rules` came after the approvals at `gate`; empty when there are none."""
    names = ", ".join(rule.name for rule in gate.environment_rules if rule in rules)
    return f"{gate.subject.environment} now also demands the approval of {names}" if names else ""


def outdated_gate(run: Run, position: int, environment: Environment, now: datetime) -> tuple[Gate, str] | None:
    """The first gate whose approval is older than the environment allows, and that in words."""
    if environment.max_age is None:
        return None
    for _, gate in gates_before(run, position):
        if gate is not None and gate.closed_at is not None and now - gate.closed_at > environment.max_age:
            return gate, f"its approval is older than the {span(environment.max_age)} that {environment.name} allows"
    return None


def expired_gate(run: Run, position: int, now: datetime) -> tuple[Gate, str] | None:
    """The first gate whose approval lasted only until a moment that has passed, and that in words."""
    for step, gate in gates_before(run, position):
        if gate is not None and gate.valid_until is not None and is_past(gate, now):
            return gate, f"the approval of {step.name} expired on {said(gate.valid_until, gate.opened_at)}"
    return None


def lacking(
    environment: Environment, evidence: Sequence[Evidence], deployed_before: Sequence[Deployment], digest: str
) -> str | None:
    """What `environment` requires of the evidence and does not find, in words; None when it has all.

    `deployed_before` are this model's deployments; `digest` is of the bytes.
    """
    require = environment.require
    metrics = [metric for found in evidence for metric in found.metrics]
    claimed = [check.name for found in evidence for check in found.checks if not check.is_measured]
    if require.measured and (claimed or not any(m.provenance is Provenance.MEASURED for m in metrics)):
        because = f"these checks read claimed ones: {', '.join(claimed)}" if claimed else "no test step measured any"
        return (
            f"{environment.name} accepts measured metrics only, and {because}. "
            "Let a test step with a `run` report what its checks read."
        )
    if require.checks_passed:
        short = [
            check.name
            for found in evidence
            for check in found.checks
            if check.severity is Severity.FAIL and check.status is not CheckStatus.PASSED
        ]
        if short:
            return f"{environment.name} requires every check to pass, and these did not: {', '.join(short)}."
    came_from = require.came_from
    if came_from is not None and not any(
        d.environment == came_from and d.digest == digest and d.live_at is not None for d in deployed_before
    ):
        return f"{environment.name} takes only what was deployed to {came_from} first, and these bytes were not."
    return None


def missing_rules(run: Run, position: int, environment: Environment) -> tuple[RuleSpec, ...]:
    """The environment's rules that no gate for it before `position` carries: they were added after the gate opened."""
    carried = {
        rule
        for _, gate in gates_before(run, position)
        if gate is not None and gate.subject.environment == environment.name
        for rule in gate.environment_rules
    }
    return tuple(rule for rule in environment.rules if rule not in carried)


def unapproved(
    run: Run,
    position: int,
    environment: Environment,
    decisions: Mapping[str, Sequence[Decision]],
    people: Directory,
    *,
    manifest_digest: str,
    now: datetime,
    revocation: Revocation | None = None,
) -> tuple[Gate | None, str] | None:
    """Why the approvals do not suffice to deploy at `position` now, and the gate to open again; None when they do.

    The gate is None where none guards this deployment, so that no decision could ever suffice. Asked when a
    deployment begins and again right before it is carried out: a worker may have died in between. `revocation` is the
    newest one of this version.
    """
    missing = missing_rules(run, position, environment)
    if missing and guarding_gate(run, position) is None:
        names = ", ".join(rule.name for rule in missing)
        return None, f"{environment.name} now also demands the approval of {names}"
    revoked = revoked_gate(run, position, revocation)
    stale = revoked or stale_gate(run, position, decisions, people, manifest_digest, environment)
    return stale or expired_gate(run, position, now) or outdated_gate(run, position, environment, now)


def is_superseded(run: Run, live: Deployment | None) -> bool:
    """Whether a newer version was deployed since `run` opened, so that deploying it would be a step back."""
    version = run.attempt.version
    if live is None or version is None or run.created_at is None or live.kind is DeploymentKind.ROLLBACK:
        return False
    if live.run_id == run.id or live.live_at is None or live.live_at < run.created_at:
        return False
    return _number(live.version) > _number(version.version)


def is_newest(version: str, others: Iterable[str]) -> bool:
    """Whether no version among `others` is newer."""
    return all(_number(other) <= _number(version) for other in others)


def _number(version: str) -> int:
    """Registry versions count up; anything else compares as the oldest."""
    return int(version) if version.isdecimal() else -1
