"""What happens next: the whole engine as a pure function. Workers only carry out what it says."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.domain.feedback import unanswered
from signoff.domain.gate import Gate, GateStatus
from signoff.domain.pipeline import (
    ApprovalStep,
    DeploymentStep,
    OnReject,
    OnTestFail,
    Pipeline,
    Step,
    TestStep,
    TrainingStep,
)
from signoff.domain.run import ENDED, Cause, Run, RunKind, RunStatus, StepRun, StepStatus


@dataclass(frozen=True, slots=True)
class DoStep:
    """Carry out a training, test or deployment step (again, when a worker died in it)."""

    step: Step


@dataclass(frozen=True, slots=True)
class PassStep:
    """A training step without a command is satisfied by the version that was submitted."""

    step: TrainingStep


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Freeze the subject and ask people, unless the policy approves."""

    step: ApprovalStep


@dataclass(frozen=True, slots=True)
class ConfirmGate:
    """The rules are satisfied: make sure that the bytes are still those, then go on."""

    step: ApprovalStep
    gate: Gate


@dataclass(frozen=True, slots=True)
class EndGateStep:
    """Somebody said no: the step ends `rejected`."""

    step: ApprovalStep
    gate: Gate


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Train again, with the feedback, from step number `position`."""

    position: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class AwaitSubmission:
    """Nothing here can train: wait for the submitter's next version."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class AwaitAnswers:
    """The new version is there, but not every reason of the former reject is answered: wait for the submitter."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The run ends with this status."""

    status: RunStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until somebody acts; `on` says what, in words."""

    on: str


Action = (
    DoStep
    | PassStep
    | OpenGate
    | ConfirmGate
    | EndGateStep
    | StartAttempt
    | AwaitSubmission
    | AwaitAnswers
    | Finish
    | Wait
)


_ENDS_AS = {
    StepStatus.ERRORED: RunStatus.ERRORED,
    StepStatus.CANCELLED: RunStatus.CANCELLED,
    StepStatus.EXPIRED: RunStatus.EXPIRED,
}


def next_action(run: Run) -> Action:
    """The one thing to do next for `run`. Pure and deterministic.

    A run that is not a `release` judges what is there already: it passes over training and deployment steps whatever
    their rows say, and a no ends it.
    """
    if run.status in ENDED:
        return Wait(f"the run has ended: {run.status}")
    if run.status is RunStatus.CHANGES_REQUESTED:
        waits = unanswered(run.attempt) and run.attempt.version is not None
        return Wait("answers to the reviewers' reasons" if waits else "the next version from its submitter")
    for position, step in enumerate(run.pipeline.steps):
        if run.kind is not RunKind.RELEASE and isinstance(step, TrainingStep | DeploymentStep):
            continue
        state = run.attempt.step(step.name)
        action = _next_of_step(run, position, step, state)
        if action is not None:
            return action
    return Finish(RunStatus.SUCCEEDED)


def _next_of_step(run: Run, position: int, step: Step, state: StepRun) -> Action | None:
    """What `step` needs now; None when it is done and the next one may go on."""
    match state.status:
        case StepStatus.SUCCEEDED | StepStatus.SKIPPED:
            return None
        case StepStatus.ERRORED | StepStatus.CANCELLED | StepStatus.EXPIRED:
            return Finish(_ENDS_AS[state.status], state.error or state.note)
        case StepStatus.FAILED:
            return _after_failure(run, position, step, state)
        case StepStatus.REJECTED:
            return _after_verdict(run, position, step)
        case StepStatus.PENDING | StepStatus.RUNNING | StepStatus.WAITING:
            return _of_live_step(run, step)


def _of_live_step(run: Run, step: Step) -> Action:
    if not isinstance(step, TrainingStep) and unanswered(run.attempt):
        return AwaitAnswers()
    if isinstance(step, ApprovalStep):
        gate = run.gate(step.name)
        if gate is None or gate.status in {GateStatus.VOID, GateStatus.CANCELLED}:
            return OpenGate(step)
        if gate.status is GateStatus.OPEN:
            return Wait(f"approval at {step.name}")
        return ConfirmGate(step, gate) if gate.status is GateStatus.APPROVED else EndGateStep(step, gate)
    if isinstance(step, TrainingStep) and step.command is None:
        return PassStep(step) if run.attempt.version is not None else AwaitSubmission(run.attempt.cause)
    return DoStep(step)


def _after_failure(run: Run, position: int, step: Step, state: StepRun) -> Action | None:
    if isinstance(step, TestStep):
        if step.on_fail is OnTestFail.CONTINUE and _people_follow(run.pipeline, position):
            return None
        if step.on_fail is OnTestFail.RETRAIN:
            return _retrain(run, position, Cause.CHECK_FAILED, RunStatus.FAILED)
    return Finish(RunStatus.FAILED, state.note or state.error or "")


def _people_follow(pipeline: Pipeline, position: int) -> bool:
    """Whether an approval stands between step number `position` and the next deployment: `continue` is for people."""
    for step in pipeline.steps[position + 1 :]:
        if isinstance(step, ApprovalStep | DeploymentStep):
            return isinstance(step, ApprovalStep)
    return False


def _after_verdict(run: Run, position: int, step: Step) -> Action:
    gate = run.gate(step.name)
    if not isinstance(step, ApprovalStep) or gate is None:
        return Finish(RunStatus.ERRORED, f"{step.name} is rejected without a gate")
    if gate.status is GateStatus.CHANGES_REQUESTED:
        cause, policy = Cause.CHANGES_REQUESTED, step.on_changes_requested
    else:
        cause, policy = Cause.REJECTED, step.on_reject
    if policy is OnReject.FAIL_PIPELINE or run.kind is not RunKind.RELEASE:
        return Finish(RunStatus.REJECTED, f"{step.name} said no")
    return _retrain(run, position, cause, RunStatus.REJECTED)


def _retrain(run: Run, position: int, cause: Cause, otherwise: RunStatus) -> Action:
    """The next attempt from the nearest training step, or the end when the attempts are used up."""
    if run.kind is not RunKind.RELEASE:
        return Finish(otherwise, run.attempt.step(run.pipeline.steps[position].name).note)
    if run.attempt.number >= run.pipeline.max_attempts:
        return Finish(otherwise, f"all {run.pipeline.max_attempts} attempts are used up")
    start = run.pipeline.training_before(position)
    if start is None:
        return AwaitSubmission(cause)
    training = run.pipeline.steps[start]
    if isinstance(training, TrainingStep) and training.command is None:
        return AwaitSubmission(cause)
    return StartAttempt(start, cause)
