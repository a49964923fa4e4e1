"""Runs that review what is there already: which steps they have, and that they never train, deploy or begin anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from factories import a_deployment_step, a_gate, a_pipeline, a_run, a_test, a_training, an_approval
from signoff.domain.gate import Gate, GateStatus
from signoff.domain.next_action import DoStep, Finish, OpenGate, Wait, next_action
from signoff.domain.pipeline import OnReject, OnTestFail, Pipeline
from signoff.domain.run import Run, RunKind, RunStatus, StepStatus
from signoff.engine.attempts import review_steps

RETRAINS = an_approval(on_reject=OnReject.RETRAIN)
WHOLE = a_pipeline(
    a_training(), a_test("offline"), RETRAINS, a_test("late"), an_approval("second"), a_deployment_step()
)
REVIEWS = (RunKind.REAPPROVAL, RunKind.AFTER_REVIEW)


def a_review(kind: RunKind, pipeline: Pipeline = WHOLE, gate_position: int | None = 2, **more: tuple[Gate, ...]) -> Run:
    """A review that has just begun."""
    run, steps = a_run(pipeline), review_steps(pipeline, gate_position)
    return replace(run, kind=kind, attempt=replace(run.attempt, steps=steps), gates=more.get("gates", ()))


def test_a_review_of_one_gate_runs_the_tests_before_it_and_skips_the_rest_saying_why() -> None:
    assert [(step.name, step.status.value, step.note) for step in review_steps(WHOLE, 2)] == [
        ("train", "skipped", "a review never trains"),
        ("offline", "pending", ""),
        ("approve", "pending", ""),
        ("late", "skipped", "not asked for by this review"),
        ("second", "skipped", "not asked for by this review"),
        ("deploy", "skipped", "a review never deploys"),
    ]


def test_a_review_of_the_second_gate_does_not_open_the_first_one_again() -> None:
    pending = [step.name for step in review_steps(WHOLE, 4) if step.status is StepStatus.PENDING]
    assert pending == ["offline", "late", "second"]


def test_a_review_of_no_gate_in_particular_opens_them_all() -> None:
    pending = [step.name for step in review_steps(WHOLE, None) if step.status is StepStatus.PENDING]
    assert pending == ["offline", "approve", "late", "second"]


@pytest.mark.parametrize("kind", REVIEWS)
def test_a_review_tests_then_asks_then_is_done_without_training_or_deploying(kind: RunKind) -> None:
    run = a_review(kind)
    assert next_action(run) == DoStep(WHOLE.steps[1])
    tested = _with(run, offline=StepStatus.SUCCEEDED)
    assert next_action(tested) == OpenGate(RETRAINS)
    assert next_action(_with(tested, approve=StepStatus.SUCCEEDED)) == Finish(RunStatus.SUCCEEDED)


@pytest.mark.parametrize("kind", REVIEWS)
def test_a_review_never_trains_or_deploys_even_if_its_rows_ask_for_it(kind: RunKind) -> None:
    pending = dict.fromkeys(("train", "deploy"), StepStatus.PENDING)
    done = dict.fromkeys(("offline", "approve"), StepStatus.SUCCEEDED)
    assert next_action(_with(a_review(kind), **pending, **done)) == Finish(RunStatus.SUCCEEDED)


@pytest.mark.parametrize("kind", REVIEWS)
@pytest.mark.parametrize("said", [GateStatus.REJECTED, GateStatus.CHANGES_REQUESTED])
def test_a_no_ends_a_review_and_nothing_is_trained_again(kind: RunKind, said: GateStatus) -> None:
    run = _with(a_review(kind, gates=(a_gate(status=said),)), offline=StepStatus.SUCCEEDED, approve=StepStatus.REJECTED)
    assert next_action(run) == Finish(RunStatus.REJECTED, "approve said no")


@pytest.mark.parametrize("kind", REVIEWS)
def test_a_check_that_fails_in_a_review_ends_it_and_nothing_is_trained_again(kind: RunKind) -> None:
    retrains = a_pipeline(a_training(), a_test(on_fail=OnTestFail.RETRAIN), RETRAINS, a_deployment_step())
    run = _with(a_review(kind, retrains), test=StepStatus.FAILED)
    assert isinstance(next_action(replace(run, kind=RunKind.RELEASE)), Finish) is False
    assert next_action(run) == Finish(RunStatus.FAILED)


def test_a_review_that_waits_for_people_waits() -> None:
    run = _with(a_review(RunKind.REAPPROVAL, gates=(a_gate(),)), offline=StepStatus.SUCCEEDED)
    assert next_action(run) == Wait("approval at approve")


def _with(run: Run, **statuses: StepStatus) -> Run:
    steps = tuple(replace(step, status=statuses.get(step.name, step.status)) for step in run.attempt.steps)
    return replace(run, attempt=replace(run.attempt, steps=steps))
