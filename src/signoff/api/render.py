"""The service's values as bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from signoff.api.render_evidence import evidence_body
from signoff.domain.audit import AuditEvent
from signoff.domain.environment import BreakGlass, DeployerSpec, Deployment, Environment
from signoff.domain.evidence import to_plain
from signoff.domain.explanation import Explanation
from signoff.domain.gate import Gate
from signoff.domain.run import Attempt, valid_until
from signoff.service.catalogue import ModelView, VersionLine
from signoff.service.decisions import GateView
from signoff.service.inbox import InboxLine
from signoff.service.lines import RunLine
from signoff.service.views import RunView
from signoff.wire import catalogue, gates, runs


def summary(line: RunLine, url: str) -> runs.RunSummary:
    """A run as lists show it."""
    return runs.RunSummary(**_summary(line, url))


def _summary(line: RunLine, url: str) -> dict[str, Any]:
    run = line.run
    return {
        "id": run.id,
        "model": run.model,
        "version": run.attempt.version.version if run.attempt.version else None,
        "status": run.status.value,
        "model_status": line.model_status.value,
        "pipeline": run.pipeline.name,
        "step": next((s.name for s in run.attempt.steps if s.status not in {"succeeded", "skipped"}), None),
        "attempt": run.attempt.number,
        "max_attempts": run.pipeline.max_attempts,
        "submitter": run.submitter,
        "note": run.note,
        "waits_for": line.waits_for,
        "can_unblock": list(line.can_unblock),
        "kind": run.kind.value,
        "parent_id": run.parent_id,
        "expires_at": run.open_gate.expires_at if run.open_gate is not None else None,
        "valid_until": valid_until(run),
        "has_expired_approval": any(gate.has_lapsed for gate in run.gates),
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "error": run.error,
        "url": f"{url}/runs/{run.id}",
    }


def run_body(view: RunView, url: str) -> runs.RunBody:
    """A run with everything about it."""
    return runs.RunBody(
        **_summary(view.line, url),
        pipeline_digest=view.line.run.pipeline.digest,
        pipeline_source=view.source,
        attempts=[_attempt(view, attempt) for attempt in view.attempts],
        comments=[runs.CommentBody.model_validate(comment) for comment in view.comments],
        deployments=[deployment_body(found) for found in view.deployments],
    )


def _attempt(view: RunView, attempt: Attempt) -> runs.AttemptBody:
    types = {step.name: step.type for step in view.line.run.pipeline.steps}
    steps = [
        runs.StepBody(
            name=step.name,
            type=types[step.name],
            status=step.status.value,
            tries=step.tries,
            started_at=step.started_at,
            ended_at=step.ended_at,
            error=step.error,
            note=step.note,
            training_run_id=step.training_run_id,
            evidence=evidence_body(step.evidence_digest, view.evidence[step.evidence_digest])
            if step.evidence_digest in view.evidence and step.evidence_digest is not None
            else None,
        )
        for step in attempt.steps
    ]
    return runs.AttemptBody(
        number=attempt.number,
        cause=attempt.cause.value,
        version=attempt.version.version if attempt.version else None,
        digest=attempt.version.digest if attempt.version else None,
        contributors=list(attempt.contributors),
        note=attempt.note,
        asked=[
            runs.AskedBody(
                id=a.id, kind=a.kind, subject=a.subject, comment=a.comment, by=a.by, answer=attempt.answers.get(a.id)
            )
            for a in attempt.asked
        ],
        steps=steps,
        gates=[gate_body(found) for found in view.gates if found.gate.attempt == attempt.number],
    )


def gate_body(view: GateView) -> gates.GateBody:
    """A gate with its rules and decisions."""
    gate = view.gate
    return gates.GateBody(
        id=gate.id,
        run_id=gate.run_id,
        step=gate.step,
        attempt=gate.attempt,
        round=gate.round,
        status=gate.status.value,
        digest=gate.digest,
        subject=gates.SubjectBody(
            **{n: getattr(gate.subject, n) for n in gates.SubjectBody.model_fields if n != "evidence_digests"},
            evidence_digests=list(gate.subject.evidence_digests),
        ),
        rules=[
            gates.RuleBody(
                name=state.rule.name,
                approvers=list(state.rule.approvers),
                required_approvals=state.rule.required_approvals,
                counted=list(state.counted),
                candidates=list(state.candidates),
                missing=state.missing,
                is_environment=state.is_environment,
            )
            for state in view.evaluation.rules
        ],
        checklist=list(gate.checklist),
        excluded=list(gate.excluded),
        decisions=[
            gates.DecisionBody(
                id=decision.id,
                by=decision.by,
                verdict=decision.verdict.value,
                digest=decision.digest,
                comment=decision.comment,
                reasons=[gates.ReasonBody(kind=r.kind.value, subject=r.subject) for r in decision.reasons],
                ticked=list(decision.ticked),
                saw=to_plain(decision.saw),
                at=decision.at,
                is_withdrawn=decision.is_withdrawn,
                is_policy=decision.is_policy,
                is_confirmed=decision.passkey is not None,
                on_behalf_of=decision.on_behalf_of,
            )
            for decision in view.decisions
        ],
        opened_at=gate.opened_at,
        closed_at=gate.closed_at,
        note=gate.note,
        on_timeout=gate.on_timeout.value,
        escalate_to=list(gate.escalate_to),
        expires_at=gate.expires_at,
        escalated_at=gate.escalated_at,
        remind_at=gate.remind_at,
        reminders=gate.reminders,
        valid_until=gate.valid_until,
        lapsed_at=gate.lapsed_at,
    )


def explanation_body(gate: Gate, found: Explanation) -> gates.ExplanationBody:
    """What a gate waits for, in words."""
    return gates.ExplanationBody(
        step=gate.step,
        status=found.status.value,
        sentence=found.sentence,
        rules=list(found.rules),
        people=[
            gates.StandingBody(
                person=p.person,
                can_decide=p.can_decide,
                why=p.why,
                is_own=p.is_own,
                stands_in_for=list(p.stands_in_for),
            )
            for p in found.people
        ],
    )


def inbox_item(item: InboxLine, url: str) -> catalogue.InboxItem:
    """A gate that waits, for one reader."""
    return catalogue.InboxItem(
        run=summary(item.line, url),
        step=item.gate.step,
        digest=item.gate.digest,
        waits_since=item.gate.opened_at,
        sentence=item.sentence,
        can_decide=item.standing.can_decide,
        why=item.standing.why,
        blocks=item.gate.subject.environment,
    )


def deployment_body(found: Deployment) -> runs.DeploymentBody:
    """One deployment."""
    return runs.DeploymentBody.model_validate(found)


def version_body(found: VersionLine) -> catalogue.VersionBody:
    """One version."""
    return catalogue.VersionBody.model_validate({**asdict(found), "live_in": list(found.live_in)})


def model_body(found: ModelView) -> catalogue.ModelBody:
    """A model."""
    return catalogue.ModelBody(
        name=found.name,
        versions=[version_body(version) for version in found.versions],
        deployments=[deployment_body(deployment) for deployment in found.deployments],
    )


def environment_body(found: Environment, live: Sequence[Deployment], now: datetime) -> catalogue.EnvironmentBody:
    """An environment with what is live in it, and whether it is frozen `now`."""
    require = {"measured": found.require.measured, "checks_passed": found.require.checks_passed}
    return catalogue.EnvironmentBody(
        name=found.name,
        deployer=_deployer(found.deployer),
        rules=[asdict(rule) for rule in found.rules],
        require={**require, "from": found.require.came_from},
        max_age_seconds=found.max_age.total_seconds() if found.max_age else None,
        accept_claimed=found.accept_claimed,
        promote_to=found.promote_to,
        freeze=[{"from": w.since, "until": w.until, "reason": w.reason} for w in found.freeze],
        frozen=found.frozen(now) or None,
        break_glass=_break_glass(found.break_glass),
        step_up=found.step_up,
        chat_approval=found.chat_approval,
        self_heal=found.self_heal,
        live=[deployment_body(deployment) for deployment in live],
    )


def _deployer(found: DeployerSpec) -> dict[str, Any]:
    """How it is deployed to: of what a command is given the names, of an address the host."""
    shown: dict[str, Any] = {
        "type": found.type,
        "alias": found.alias,
        "health_timeout": found.health_timeout.total_seconds(),
    }
    if found.command is not None:
        command = found.command
        shown |= {"run": list(command.run), "rollback": list(command.rollback), "health": list(command.health)}
        shown |= {"env": sorted(command.env), "secrets": sorted(command.secrets)}
        shown["timeout"] = command.timeout.total_seconds()
    if found.webhook is not None:
        shown |= {"url": found.webhook.shown_url, "has_health_url": found.webhook.health_url is not None}
        shown["timeout"] = found.webhook.timeout.total_seconds()
    return shown


def _break_glass(glass: BreakGlass | None) -> dict[str, Any] | None:
    if glass is None:
        return None
    expires = glass.expires.total_seconds()
    return {
        "approvers": list(glass.approvers),
        "required_approvals": glass.required_approvals,
        "expires_seconds": expires,
        "on_expiry": glass.on_expiry,
    }


def audit_body(event: AuditEvent) -> catalogue.AuditBody:
    """One audit event."""
    return catalogue.AuditBody(
        index=event.index or 0,
        type=event.type.value,
        actor=event.actor,
        at=event.at,
        run_id=event.run_id,
        model=event.model,
        detail=dict(event.detail),
    )
