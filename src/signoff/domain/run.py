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
    DeploymentStep,
    Pipeline,
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


class RunKind(StrEnum):
    """Why a run exists. `reapproval`: an approval expired. `after_review`: what runs without review.

    Only a `release` trains and deploys; the others judge bytes that are there already, and leave what is deployed.
    """

    RELEASE = "release"
    REAPPROVAL = "reapproval"
    AFTER_REVIEW = "after_review"


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
    EXPIRED = "expired"


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
        {
            StepStatus.PENDING,
            StepStatus.SUCCEEDED,
            StepStatus.REJECTED,
            StepStatus.ERRORED,
            StepStatus.CANCELLED,
            StepStatus.EXPIRED,
        }
    ),
    StepStatus.SUCCEEDED: frozenset({StepStatus.PENDING}),  # its evidence was about other bytes: done again
    StepStatus.FAILED: frozenset({StepStatus.PENDING}),
    StepStatus.ERRORED: frozenset({StepStatus.PENDING, StepStatus.CANCELLED}),
    StepStatus.REJECTED: frozenset(),
    StepStatus.SKIPPED: frozenset(),
    StepStatus.CANCELLED: frozenset(),
    StepStatus.EXPIRED: frozenset(),
}


class Cause(StrEnum):
    """Why an attempt began."""

    SUBMITTED = "submitted"
    TRAINED = "trained"
    CHECK_FAILED = "check_failed"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    APPROVAL_EXPIRED = "approval_expired"
    GLASS_BROKEN = "glass_broken"
    ADOPTED = "adopted"


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
class Asked:
    """A typed reason of the attempt before, which this attempt has to answer. `id` counts from 1 in each attempt."""

    id: str
    kind: str
    subject: str | None
    comment: str
    by: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One trip round the retrain loop. `contributors` submitted, resubmitted or started it: they do not approve it.

    `asked` are the typed reasons that sent the attempt before back; `answers` maps the id of each to what was done.
    """

    number: int
    cause: Cause
    steps: tuple[StepRun, ...]
    version: ModelVersion | None = None
    contributors: tuple[str, ...] = ()
    note: str = ""
    asked: tuple[Asked, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)

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
    kind: RunKind = RunKind.RELEASE
    parent_id: str | None = None

    def gate(self, step: str) -> Gate | None:
        """The newest round of the gate of `step` in the present attempt."""
        found = [g for g in self.gates if g.step == step and g.attempt == self.attempt.number]
        return max(found, key=lambda g: g.round, default=None)

    @property
    def open_gate(self) -> Gate | None:
        """The gate that waits now, if one does."""
        return next((g for g in self.gates if g.status is GateStatus.OPEN), None)


def valid_until(run: Run) -> datetime | None:
    """When the first approval of the present attempt expires; None when all of them last, or there is none."""
    moments = (gate.valid_until for gate in run.gates if gate.status is GateStatus.APPROVED)
    return min((moment for moment in moments if moment is not None), default=None)


def environments_ahead(run: Run) -> frozenset[str]:
    """The environments that the present attempt has yet to deploy to."""
    done = {StepStatus.SUCCEEDED, StepStatus.SKIPPED, StepStatus.CANCELLED}
    steps = (step for step in run.pipeline.steps if isinstance(step, DeploymentStep))
    return frozenset(step.environment for step in steps if run.attempt.step(step.name).status not in done)
