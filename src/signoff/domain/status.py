"""`model_status`: the one word that a person follows. Derived from the rows, never stored."""

from __future__ import annotations

from enum import StrEnum

from signoff.domain.environment import DeploymentStatus
from signoff.domain.gate import GateStatus
from signoff.domain.pipeline import DeploymentStep, TrainingStep
from signoff.domain.run import Cause, Run, RunKind, RunStatus, StepStatus


class ModelStatus(StrEnum):
    """Where the model of a run stands, in one word."""

    UNTRAINED = "untrained"
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    RETRAINING = "retraining"
    DEPLOYED = "deployed"
    FAILED = "failed"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolled_back"
    REVOKED = "revoked"
    ADOPTED = "adopted"


_SAME_WORD = {
    RunStatus.CHANGES_REQUESTED: ModelStatus.CHANGES_REQUESTED,
    RunStatus.WAITING: ModelStatus.IN_REVIEW,
    RunStatus.FAILED: ModelStatus.FAILED,
    RunStatus.REJECTED: ModelStatus.REJECTED,
    RunStatus.ERRORED: ModelStatus.ERRORED,
    RunStatus.EXPIRED: ModelStatus.EXPIRED,
    RunStatus.CANCELLED: ModelStatus.CANCELLED,
    RunStatus.SUPERSEDED: ModelStatus.SUPERSEDED,
}

_OF_DEPLOYMENT = {
    DeploymentStatus.LIVE: ModelStatus.DEPLOYED,
    DeploymentStatus.REPLACED: ModelStatus.SUPERSEDED,
    DeploymentStatus.ROLLED_BACK: ModelStatus.ROLLED_BACK,
}


def model_status(run: Run, deployment: DeploymentStatus | None = None, *, is_revoked: bool = False) -> ModelStatus:
    """The word for `run`; `deployment` is the status of its newest deployment, when it has one.

    `is_revoked`: the approval of its version was taken back, and it was not approved anew.
    """
    word = ModelStatus.ADOPTED if _is_adopted(run) else _SAME_WORD.get(run.status)
    if word is not None:
        return word
    if run.status is RunStatus.SUCCEEDED and is_revoked:
        return ModelStatus.REVOKED
    if run.status is RunStatus.SUCCEEDED:
        return _of_success(run, deployment)
    if _is_training(run):
        return ModelStatus.RETRAINING if run.attempt.number > 1 else ModelStatus.UNTRAINED
    if run.gates and run.gates[-1].status is GateStatus.APPROVED:
        return ModelStatus.APPROVED
    return ModelStatus.SUBMITTED


def _is_adopted(run: Run) -> bool:
    """Whether its version ran before signoff came, and nobody has said anything about it yet."""
    return run.attempt.cause is Cause.ADOPTED and run.status in {RunStatus.RUNNING, RunStatus.WAITING}


def _of_success(run: Run, deployment: DeploymentStatus | None) -> ModelStatus:
    """Where the version of a run that reached its end stands; `expired` once its approval has, until given anew."""
    # A reapproval deploys nothing; what an after-review approves is deployed already.
    deploys = run.kind is not RunKind.REAPPROVAL and any(
        isinstance(step, DeploymentStep) for step in run.pipeline.steps
    )
    status = ModelStatus.APPROVED
    if deploys:
        status = _OF_DEPLOYMENT.get(deployment or DeploymentStatus.LIVE, ModelStatus.APPROVED)
    if status in {ModelStatus.APPROVED, ModelStatus.DEPLOYED} and any(gate.has_lapsed for gate in run.gates):
        return ModelStatus.EXPIRED
    return status


def _is_training(run: Run) -> bool:
    """Whether the present attempt still has to bring forth its version."""
    return run.attempt.version is None or any(
        isinstance(step, TrainingStep)
        and step.command is not None
        and run.attempt.step(step.name).status in {StepStatus.PENDING, StepStatus.RUNNING}
        for step in run.pipeline.steps
    )
