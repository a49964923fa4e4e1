"""What happens next in a run: one test a rule, from the rows alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from factories import (
    a_deployment_step,
    a_gate,
    a_pipeline,
    a_run,
    a_subject,
    a_test,
    a_training,
    a_version,
    an_approval,
)
from signoff.domain.gate import GateStatus
from signoff.domain.next_action import (
    AwaitSubmission,
    ConfirmGate,
    DoStep,
    EndGateStep,
    Finish,
    OpenGate,
    PassStep,
    StartAttempt,
    Wait,
    next_action,
)
from signoff.domain.pipeline import DeploymentStep, OnDeployFail, OnReject, OnTestFail, Step
from signoff.domain.run import (
    ENDED,
    FINAL,
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    Cause,
    Run,
    RunStatus,
    StepRun,
    StepStatus,
)

TRAINING, TEST, DEPLOYMENT = a_training(), a_test(), a_deployment_step()
RETRAINS = an_approval(on_reject=OnReject.RETRAIN)
STOPS = an_approval(on_changes_requested=OnReject.FAIL_PIPELINE)


def failed(step: Step, *before: Step, attempt: int = 1) -> Run:
    """A run whose last step failed a check, after `before` succeeded."""
    done = {s.name: StepStatus.SUCCEEDED for s in before}
    return a_run(a_pipeline(*before, step), steps={**done, step.name: StepStatus.FAILED}, attempt=attempt)


def refused(approval: Step, status: GateStatus, *before: Step, attempt: int = 1) -> Run:
    """A run whose gate said no, after `before` succeeded."""
    done = {s.name: StepStatus.SUCCEEDED for s in before}
    gate = a_gate(step=approval.name, status=status, subject=a_subject(attempt=attempt))
    pipeline = a_pipeline(*before, approval)
    return a_run(pipeline, steps={**done, approval.name: StepStatus.REJECTED}, gates=(gate,), attempt=attempt)


@pytest.mark.parametrize("step", [TRAINING, TEST, DEPLOYMENT], ids=lambda step: step.type)
@pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.RUNNING])
def test_a_step_is_done_and_done_again_when_a_worker_died_in_it(step: Step, status: StepStatus) -> None:
    assert next_action(a_run(a_pipeline(step), steps={step.name: status})) == DoStep(step)


def test_steps_go_in_order_and_each_begins_when_the_one_before_is_done() -> None:
    pipeline = a_pipeline(TRAINING, TEST, DEPLOYMENT)
    assert next_action(a_run(pipeline)) == DoStep(TRAINING)
    assert next_action(a_run(pipeline, steps={"train": StepStatus.SUCCEEDED})) == DoStep(TEST)
    skipped = {"train": StepStatus.SKIPPED, "test": StepStatus.SUCCEEDED}
    assert next_action(a_run(pipeline, steps=skipped)) == DoStep(DEPLOYMENT)
    # What a later step says does not matter before its turn.
    assert next_action(a_run(pipeline, steps={"test": StepStatus.ERRORED})) == DoStep(TRAINING)


def test_a_run_whose_steps_are_all_done_has_succeeded() -> None:
    done = {"train": StepStatus.SKIPPED, "test": StepStatus.SUCCEEDED, "deploy": StepStatus.SUCCEEDED}
    assert next_action(a_run(a_pipeline(TRAINING, TEST, DEPLOYMENT), steps=done)) == Finish(RunStatus.SUCCEEDED)


@pytest.mark.parametrize("status", sorted(ENDED))
def test_nothing_happens_in_a_run_that_has_ended(status: RunStatus) -> None:
    assert next_action(a_run(status=status)) == Wait(f"the run has ended: {status}")


def test_a_run_sent_back_waits_for_its_next_version() -> None:
    assert next_action(a_run(status=RunStatus.CHANGES_REQUESTED)) == Wait("the next version from its submitter")


@pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.RUNNING])
def test_a_training_step_without_a_command_is_satisfied_by_the_submitted_version(status: StepStatus) -> None:
    step = a_training(runs=False)
    assert next_action(a_run(a_pipeline(step), steps={"train": status})) == PassStep(step)


def test_a_training_step_without_a_command_and_without_a_version_waits_for_one() -> None:
    run = a_run(a_pipeline(a_training(runs=False)), is_submitted=False, cause=Cause.TRAINED)
    assert next_action(run) == AwaitSubmission(Cause.TRAINED)


@pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.WAITING])
@pytest.mark.parametrize(
    ("gate_status", "expected"),
    [
        (None, OpenGate),
        (GateStatus.VOID, OpenGate),
        (GateStatus.CANCELLED, OpenGate),
        (GateStatus.OPEN, Wait),
        (GateStatus.APPROVED, ConfirmGate),
        (GateStatus.REJECTED, EndGateStep),
        (GateStatus.CHANGES_REQUESTED, EndGateStep),
    ],
)
def test_an_approval_step_goes_by_its_gate(
    status: StepStatus, gate_status: GateStatus | None, expected: type[object]
) -> None:
    gates = tuple(a_gate(status=found) for found in [gate_status] if found is not None)
    action = next_action(a_run(steps={"approve": status}, gates=gates))
    assert type(action) is expected
    if isinstance(action, Wait):
        assert action.on == "approval at approve"
    elif isinstance(action, ConfirmGate | EndGateStep):
        assert action.gate is gates[0]


def test_of_several_rounds_the_newest_counts_in_whatever_order_they_come() -> None:
    old, new = a_gate(status=GateStatus.VOID), a_gate(status=GateStatus.OPEN, round=2)
    for gates in ((old, new), (new, old)):
        run = a_run(gates=gates)
        assert run.gate("approve") is new
        assert next_action(run) == Wait("approval at approve")
        assert run.open_gate is new


def test_the_gate_of_a_former_attempt_does_not_count() -> None:
    run = a_run(attempt=2, gates=(a_gate(status=GateStatus.APPROVED, subject=a_subject(attempt=1)),))
    assert run.gate("approve") is None
    assert isinstance(next_action(run), OpenGate)


def test_a_step_that_errored_ends_the_run_errored_with_its_words() -> None:
    run = a_run(a_pipeline(TEST))
    broken = StepRun("test", StepStatus.ERRORED, error="exit status 1")
    run = replace(run, attempt=replace(run.attempt, steps=(broken,)))
    assert next_action(run) == Finish(RunStatus.ERRORED, "exit status 1")


def test_a_step_that_was_cancelled_ends_the_run_cancelled() -> None:
    assert next_action(a_run(a_pipeline(TEST), steps={"test": StepStatus.CANCELLED})) == Finish(RunStatus.CANCELLED)


def test_a_failed_check_fails_the_pipeline_by_default_with_its_words() -> None:
    run = failed(TEST, TRAINING)
    steps = (*run.attempt.steps[:-1], replace(run.attempt.steps[-1], note="accuracy is 0.8"))
    run = replace(run, attempt=replace(run.attempt, steps=steps))
    assert next_action(run) == Finish(RunStatus.FAILED, "accuracy is 0.8")


def test_a_failed_check_may_go_on_to_the_people() -> None:
    test = a_test(on_fail=OnTestFail.CONTINUE)
    run = a_run(a_pipeline(test, RETRAINS), steps={"test": StepStatus.FAILED})
    assert next_action(run) == OpenGate(RETRAINS)


def test_a_failed_check_never_goes_on_to_a_deployment_that_nobody_decides_about() -> None:
    test = a_test(on_fail=OnTestFail.CONTINUE)
    for rest in ((), (DeploymentStep("deploy", "local"),), (DeploymentStep("deploy", "local"), RETRAINS)):
        run = a_run(a_pipeline(test, *rest), steps={"test": StepStatus.FAILED})
        assert next_action(run) == Finish(RunStatus.FAILED)


def test_a_failed_check_may_start_the_training_again() -> None:
    run = failed(a_test(on_fail=OnTestFail.RETRAIN), TRAINING)
    assert next_action(run) == StartAttempt(0, Cause.CHECK_FAILED)


def test_a_failed_check_waits_for_the_submitter_where_nothing_here_trains() -> None:
    test = a_test(on_fail=OnTestFail.RETRAIN)
    assert next_action(failed(test, a_training(runs=False))) == AwaitSubmission(Cause.CHECK_FAILED)
    assert next_action(failed(test)) == AwaitSubmission(Cause.CHECK_FAILED)


@pytest.mark.parametrize("before", [(TRAINING,), (a_training(runs=False),), ()])
def test_when_a_check_failed_in_the_last_attempt_the_run_has_failed(before: tuple[Step, ...]) -> None:
    run = failed(a_test(on_fail=OnTestFail.RETRAIN), *before, attempt=3)
    assert next_action(run) == Finish(RunStatus.FAILED, "all 3 attempts are used up")


@pytest.mark.parametrize("on_fail", list(OnDeployFail))
def test_a_deployment_that_failed_fails_the_run(on_fail: OnDeployFail) -> None:
    step = replace(DEPLOYMENT, on_fail=on_fail)
    assert next_action(failed(step)) == Finish(RunStatus.FAILED)


def test_a_reject_goes_where_on_reject_says() -> None:
    assert next_action(refused(RETRAINS, GateStatus.REJECTED, TRAINING)) == StartAttempt(0, Cause.REJECTED)
    stops = an_approval(on_reject=OnReject.FAIL_PIPELINE)
    assert next_action(refused(stops, GateStatus.REJECTED, TRAINING)) == Finish(RunStatus.REJECTED, "approve said no")


def test_a_request_for_changes_goes_where_on_changes_requested_says() -> None:
    run = refused(an_approval(), GateStatus.CHANGES_REQUESTED, TRAINING)
    assert next_action(run) == StartAttempt(0, Cause.CHANGES_REQUESTED)
    run = refused(STOPS, GateStatus.CHANGES_REQUESTED, TRAINING)
    assert next_action(run) == Finish(RunStatus.REJECTED, "approve said no")


def test_each_answer_has_its_own_consequence() -> None:
    approval = an_approval(on_reject=OnReject.RETRAIN, on_changes_requested=OnReject.FAIL_PIPELINE)
    assert isinstance(next_action(refused(approval, GateStatus.REJECTED, TRAINING)), StartAttempt)
    assert isinstance(next_action(refused(approval, GateStatus.CHANGES_REQUESTED, TRAINING)), Finish)


@pytest.mark.parametrize("before", [(a_training(runs=False),), (), (a_training(), a_training("bought", runs=False))])
def test_a_retrain_waits_for_the_submitter_where_the_nearest_training_has_no_command(before: tuple[Step, ...]) -> None:
    run = refused(an_approval(), GateStatus.CHANGES_REQUESTED, *before)
    assert next_action(run) == AwaitSubmission(Cause.CHANGES_REQUESTED)


def test_a_retrain_starts_at_the_nearest_training_step_before() -> None:
    before = (a_training("features"), a_test("data"), a_training("model"), TEST)
    assert next_action(refused(RETRAINS, GateStatus.REJECTED, *before)) == StartAttempt(2, Cause.REJECTED)


@pytest.mark.parametrize("status", [GateStatus.REJECTED, GateStatus.CHANGES_REQUESTED])
@pytest.mark.parametrize("before", [(TRAINING,), ()])
def test_when_people_said_no_in_the_last_attempt_the_run_is_rejected(
    status: GateStatus, before: tuple[Step, ...]
) -> None:
    run = refused(RETRAINS, status, *before, attempt=3)
    assert next_action(run) == Finish(RunStatus.REJECTED, "all 3 attempts are used up")


def test_the_last_attempt_but_one_may_still_be_followed() -> None:
    assert next_action(refused(RETRAINS, GateStatus.REJECTED, TRAINING, attempt=2)) == StartAttempt(0, Cause.REJECTED)


def test_a_rejected_step_without_a_gate_is_a_broken_run() -> None:
    assert next_action(a_run(steps={"approve": StepStatus.REJECTED})) == Finish(
        RunStatus.ERRORED, "approve is rejected without a gate"
    )


def test_every_status_has_its_transitions_and_nothing_leaves_a_final_one() -> None:
    assert RUN_TRANSITIONS.keys() == set(RunStatus)
    assert STEP_TRANSITIONS.keys() == set(StepStatus)
    assert {status for status, following in RUN_TRANSITIONS.items() if not following} == FINAL
    assert RUN_TRANSITIONS[RunStatus.ERRORED] == {RunStatus.RUNNING, RunStatus.CANCELLED}


def test_a_run_is_cancelled_from_wherever_it_has_not_ended() -> None:
    leads_there = {status for status, following in RUN_TRANSITIONS.items() if RunStatus.CANCELLED in following}
    assert leads_there == set(RunStatus) - FINAL


def test_a_step_or_run_that_is_not_there_is_a_key_error() -> None:
    run = a_run(version=a_version(2))
    assert run.attempt.step("deploy").status is StepStatus.PENDING
    with pytest.raises(KeyError, match="nowhere"):
        run.attempt.step("nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        run.pipeline.step("nowhere")
