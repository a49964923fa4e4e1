"""The steps of an attempt as a line: what is done, what it is at, what comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signoff.domain.gate import GateStatus
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, TestStep, TrainingStep
from signoff.domain.run import Attempt, Run, StepRun, StepStatus
from signoff.service.views import RunView
from signoff.web.words import look, took

_STATES = {
    StepStatus.SUCCEEDED: "done",
    StepStatus.SKIPPED: "done",
    StepStatus.RUNNING: "now",
    StepStatus.WAITING: "now",
    StepStatus.PENDING: "next",
    StepStatus.CANCELLED: "next",
}
_ICONS = {TrainingStep: "flask", TestStep: "list-check", ApprovalStep: "eye", DeploymentStep: "rocket"}


@dataclass(frozen=True, slots=True)
class StepMark:
    """One step: `state` is a class of the stylesheet, `words` what there is to say in two or three."""

    name: str
    state: str
    icon: str
    words: str
    path: str | None = None


def line_of(view: RunView, attempt: Attempt, now: datetime) -> list[StepMark]:
    """The marks of `attempt`, from who submitted it on."""
    run = view.line.run
    began = StepMark("Submitted", "done", "check", run.submitter)
    return [began, *(_mark(view, run, attempt, state, now) for state in attempt.steps)]


def _mark(view: RunView, run: Run, attempt: Attempt, state: StepRun, now: datetime) -> StepMark:
    step = run.pipeline.step(state.name)
    is_over = state.status in {StepStatus.SUCCEEDED, StepStatus.SKIPPED}
    icon = "check" if is_over else _ICONS[type(step)]
    how = _STATES.get(state.status, "bad")
    if how == "bad":
        icon = look(state.status).icon
    is_gate = isinstance(step, ApprovalStep) and attempt.number == run.attempt.number
    path = f"/runs/{run.id}/gates/{state.name}" if is_gate and run.gate(state.name) is not None else None
    return StepMark(state.name, how, icon, _words(view, attempt, state, now), path)


def _words(view: RunView, attempt: Attempt, state: StepRun, now: datetime) -> str:
    gate = next(
        (v for v in reversed(view.gates) if v.gate.step == state.name and v.gate.attempt == attempt.number), None
    )
    if gate is not None and gate.gate.status is GateStatus.OPEN:
        wanted = sum(rule.rule.required_approvals for rule in gate.evaluation.rules)
        missing = sum(rule.missing for rule in gate.evaluation.rules)
        return f"{wanted - missing} of {wanted} approved"
    if state.status is StepStatus.RUNNING:
        return f"for {took(state.started_at, None, now)}" if state.started_at else "under way"
    if state.evidence_digest in view.evidence and state.evidence_digest is not None:
        checks = view.evidence[state.evidence_digest].checks
        if checks:
            passed = sum(check.status == "passed" for check in checks)
            return f"{passed} of {len(checks)} checks"
    if state.started_at is not None and state.ended_at is not None and gate is None:
        return took(state.started_at, state.ended_at, now)
    return look(state.status).words.lower()
