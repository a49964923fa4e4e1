"""The one word that a person follows."""

from __future__ import annotations

import pytest

from factories import a_deployment_step, a_gate, a_pipeline, a_run, a_test, a_training, an_approval
from signoff.domain.environment import DeploymentStatus
from signoff.domain.gate import GateStatus
from signoff.domain.run import Cause, RunStatus, StepStatus
from signoff.domain.status import ModelStatus, model_status

TRAINS = a_pipeline(a_training(), a_test(), an_approval(), a_deployment_step())


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (RunStatus.WAITING, ModelStatus.IN_REVIEW),
        (RunStatus.CHANGES_REQUESTED, ModelStatus.CHANGES_REQUESTED),
        (RunStatus.FAILED, ModelStatus.FAILED),
        (RunStatus.REJECTED, ModelStatus.REJECTED),
        (RunStatus.ERRORED, ModelStatus.ERRORED),
        (RunStatus.EXPIRED, ModelStatus.EXPIRED),
        (RunStatus.CANCELLED, ModelStatus.CANCELLED),
        (RunStatus.SUPERSEDED, ModelStatus.SUPERSEDED),
    ],
)
def test_what_a_run_waits_for_or_ended_with_is_the_word(status: RunStatus, word: ModelStatus) -> None:
    # Whatever its steps and deployments say: a run that was cancelled in training is cancelled.
    for run in (a_run(status=status), a_run(TRAINS, status=status, is_submitted=False)):
        assert model_status(run) is word
        assert model_status(run, DeploymentStatus.LIVE) is word


@pytest.mark.parametrize(
    ("deployment", "word"),
    [
        (None, ModelStatus.DEPLOYED),
        (DeploymentStatus.LIVE, ModelStatus.DEPLOYED),
        (DeploymentStatus.REPLACED, ModelStatus.SUPERSEDED),
        (DeploymentStatus.ROLLED_BACK, ModelStatus.ROLLED_BACK),
        (DeploymentStatus.DEPLOYING, ModelStatus.APPROVED),
        (DeploymentStatus.FAILED, ModelStatus.APPROVED),
    ],
)
def test_after_success_the_newest_deployment_is_the_word(
    deployment: DeploymentStatus | None, word: ModelStatus
) -> None:
    assert model_status(a_run(status=RunStatus.SUCCEEDED), deployment) is word


def test_a_run_without_a_deployment_step_ends_approved() -> None:
    assert model_status(a_run(a_pipeline(a_test(), an_approval()), status=RunStatus.SUCCEEDED)) is ModelStatus.APPROVED


@pytest.mark.parametrize("step", [StepStatus.PENDING, StepStatus.RUNNING])
def test_a_model_is_untrained_until_the_first_attempt_brings_it_forth(step: StepStatus) -> None:
    run = a_run(TRAINS, steps={"train": step}, is_submitted=False, cause=Cause.TRAINED)
    assert model_status(run) is ModelStatus.UNTRAINED


def test_in_later_attempts_it_is_retraining() -> None:
    run = a_run(TRAINS, steps={"train": StepStatus.RUNNING}, is_submitted=False, attempt=2, cause=Cause.CHECK_FAILED)
    assert model_status(run) is ModelStatus.RETRAINING


def test_with_two_trainings_it_is_in_training_until_the_last_one_is_done() -> None:
    pipeline = a_pipeline(a_training("first"), a_training("second"), a_test())
    between = {"first": StepStatus.SUCCEEDED}
    assert model_status(a_run(pipeline, steps=between)) is ModelStatus.UNTRAINED
    assert model_status(a_run(pipeline, steps={**between, "second": StepStatus.SUCCEEDED})) is ModelStatus.SUBMITTED


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_version_trained_outside_is_never_called_untrained(attempt: int) -> None:
    run = a_run(a_pipeline(a_training(runs=False), an_approval()), attempt=attempt)
    assert model_status(run) is ModelStatus.SUBMITTED


def test_a_submitted_version_is_submitted_while_its_checks_run() -> None:
    run = a_run(TRAINS, steps={"train": StepStatus.SKIPPED, "test": StepStatus.RUNNING})
    assert model_status(run) is ModelStatus.SUBMITTED


def test_it_is_approved_when_its_newest_gate_is() -> None:
    approved = a_gate(status=GateStatus.APPROVED)
    assert model_status(a_run(gates=(approved,))) is ModelStatus.APPROVED
    voided = a_gate(status=GateStatus.VOID)
    assert model_status(a_run(gates=(voided,))) is ModelStatus.SUBMITTED
    assert model_status(a_run(gates=(voided, a_gate(status=GateStatus.APPROVED, round=2)))) is ModelStatus.APPROVED


def test_every_status_of_a_run_has_a_word() -> None:
    assert {type(model_status(a_run(status=status))) for status in RunStatus} == {ModelStatus}
