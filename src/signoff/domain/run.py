"""Runs: one trip of one model version (and its retrained successors) through a pipeline.

`next_action` is the whole engine as a pure function: given the run's rows it says the one thing to do next. Workers
only carry it out. Statuses are tables; the diagrams in the docs are generated from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

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
from signoff.domain.version import ModelVersion


class RunStatus(StrEnum):
    """Where a run stands. `waiting` and `changes_requested` wait for people and cost a row."""

    RUNNING = "running"
    WAITING = "waiting"
    CHANGES_REQUESTED = "changes_requested"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


FINAL = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.REJECTED,
        RunStatus.EXPIRED,
        RunStatus.CANCELLED,
        RunStatus.SUPERSEDED,
    }
)
"""Statuses that nothing leaves."""

ENDED = FINAL | {RunStatus.ERRORED}
"""Statuses in which nothing happens by itself; an errored run may be retried by hand."""

_ENDS = frozenset(FINAL | {RunStatus.ERRORED})

RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.RUNNING: _ENDS | {RunStatus.WAITING, RunStatus.CHANGES_REQUESTED},
    RunStatus.WAITING: frozenset({RunStatus.RUNNING, *_ENDS}) - {RunStatus.SUCCEEDED},
    RunStatus.CHANGES_REQUESTED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.EXPIRED}),
    RunStatus.ERRORED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    **{status: frozenset() for status in FINAL},
}


class StepStatus(StrEnum):
    """Where a step of one attempt stands. *Failed*: a check said no. *Errored*: the machinery broke."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    ERRORED = "errored"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


STEP_TRANSITIONS: Mapping[StepStatus, frozenset[StepStatus]] = {
    StepStatus.PENDING: frozenset(
        {StepStatus.RUNNING, StepStatus.WAITING, StepStatus.SUCCEEDED, StepStatus.SKIPPED, StepStatus.CANCELLED}
    ),
    StepStatus.RUNNING: frozenset(
        {
            StepStatus.RUNNING,  # a worker died in it, and another one tries again
            StepStatus.PENDING,  # handed back by a worker told to stop, or a deployment to be approved anew
            StepStatus.SUCCEEDED,
            StepStatus.FAILED,
            StepStatus.ERRORED,
            StepStatus.CANCELLED,
        }
    ),
    StepStatus.WAITING: frozenset(
        {StepStatus.PENDING, StepStatus.SUCCEEDED, StepStatus.REJECTED, StepStatus.ERRORED, StepStatus.CANCELLED}
    ),
    StepStatus.SUCCEEDED: frozenset({StepStatus.PENDING}),  # its evidence was about other bytes: done again
    StepStatus.FAILED: frozenset({StepStatus.PENDING}),
    StepStatus.ERRORED: frozenset({StepStatus.PENDING, StepStatus.CANCELLED}),
    StepStatus.REJECTED: frozenset(),
    StepStatus.SKIPPED: frozenset(),
    StepStatus.CANCELLED: frozenset(),
}


class Cause(StrEnum):
    """Why an attempt began."""

    SUBMITTED = "submitted"
    TRAINED = "trained"
    CHECK_FAILED = "check_failed"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step of one attempt: where it stands, how often it was tried, and what it left."""

    name: str
    status: StepStatus = StepStatus.PENDING
    tries: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    evidence_digest: str | None = None
    training_run_id: str | None = None
    error: str | None = None
    note: str = ""
    has_failed_checks: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One trip round the retrain loop. `contributors` submitted, resubmitted or started it: they do not approve it."""

    number: int
    cause: Cause
    steps: tuple[StepRun, ...]
    version: ModelVersion | None = None
    contributors: tuple[str, ...] = ()
    note: str = ""

    def step(self, name: str) -> StepRun:
        """The step called `name`; KeyError when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that decides what happens next. `gates` are those of the present attempt, newest round last."""

    id: str
    model: str
    pipeline: Pipeline
    status: RunStatus
    submitter: str
    attempt: Attempt
    gates: tuple[Gate, ...] = ()
    epoch: int = 0
    snapshot_digest: str | None = None
    note: str = ""
    created_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None
    is_deployed: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    def gate(self, step: str) -> Gate | None:
        """The newest round of the gate of `step` in the present attempt."""
        found = [g for g in self.gates if g.step == step and g.attempt == self.attempt.number]
        return max(found, key=lambda g: g.round, default=None)

    @property
    def open_gate(self) -> Gate | None:
        """The gate that waits now, if one does."""
        return next((g for g in self.gates if g.status is GateStatus.OPEN), None)


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
class Finish:
    """The run ends with this status."""

    status: RunStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until somebody acts; `on` says what, in words."""

    on: str


Action = DoStep | PassStep | OpenGate | ConfirmGate | EndGateStep | StartAttempt | AwaitSubmission | Finish | Wait


def next_action(run: Run) -> Action:
    """The one thing to do next for `run`. Pure and deterministic."""
    if run.status in ENDED:
        return Wait(f"the run has ended: {run.status}")
    if run.status is RunStatus.CHANGES_REQUESTED:
        return Wait("the next version from its submitter")
    for position, step in enumerate(run.pipeline.steps):
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
        case StepStatus.ERRORED:
            return Finish(RunStatus.ERRORED, state.error or "")
        case StepStatus.CANCELLED:
            return Finish(RunStatus.CANCELLED)
        case StepStatus.FAILED:
            return _after_failure(run, position, step, state)
        case StepStatus.REJECTED:
            return _after_verdict(run, position, step)
        case StepStatus.PENDING | StepStatus.RUNNING | StepStatus.WAITING:
            return _of_live_step(run, step)


def _of_live_step(run: Run, step: Step) -> Action:
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
    if policy is OnReject.FAIL_PIPELINE:
        return Finish(RunStatus.REJECTED, f"{step.name} said no")
    return _retrain(run, position, cause, RunStatus.REJECTED)


def _retrain(run: Run, position: int, cause: Cause, otherwise: RunStatus) -> Action:
    """The next attempt from the nearest training step, or the end when the attempts are used up."""
    if run.attempt.number >= run.pipeline.max_attempts:
        return Finish(otherwise, f"all {run.pipeline.max_attempts} attempts are used up")
    start = run.pipeline.training_before(position)
    if start is None:
        return AwaitSubmission(cause)
    training = run.pipeline.steps[start]
    if isinstance(training, TrainingStep) and training.command is None:
        return AwaitSubmission(cause)
    return StartAttempt(start, cause)


def is_deployment_ahead(run: Run) -> bool:
    """Whether a deployment step of the present attempt is not done yet."""
    return any(
        isinstance(s, DeploymentStep) and run.attempt.step(s.name).status is not StepStatus.SUCCEEDED
        for s in run.pipeline.steps
    )
