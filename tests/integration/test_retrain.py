"""The retrain loop with commands: what the next training sees of what was said, and how the loop ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from factories import MODEL
from house import PRODUCTION, House, made, refused
from signoff.domain.environment import Requirements
from signoff.ports import Log, Task
from training_scene import TRAINS, Script, folder, start


def test_a_run_trains_measures_and_waits_for_people(house: House) -> None:
    script = Script(house, {"value": 0.95, "low": 0.93, "high": 0.97, "n": 1000})
    run_id = start(house)
    body = house.run(run_id)
    assert (body["status"], body["version"], body["attempts"][0]["cause"]) == ("waiting", "1", "trained")
    assert body["attempts"][0]["contributors"] == ["alice"]
    [metric] = house.step(run_id, "test")["evidence"]["metrics"]
    assert (metric["provenance"], metric["low"], metric["n"]) == ("measured", 0.93, 1000)
    seen = script.variables[0]
    assert (seen["SIGNOFF_RUN_ID"], seen["SIGNOFF_STEP"], seen["SIGNOFF_ATTEMPT"]) == (run_id, "train", "1")
    assert (seen["SIGNOFF_TRY"], seen["SIGNOFF_PARAM_MAX_DEPTH"], seen["SIGNOFF_PARAM_SHUFFLE"]) == ("1", "6", "true")
    assert seen["MLFLOW_RUN_ID"]
    assert script.variables[1]["SIGNOFF_MODEL_URI"] == f"models:/{MODEL}/1"
    assert script.contexts[0]["params"] == {"max_depth": 6, "shuffle": True}
    assert script.contexts[0]["feedback"] == []
    assert script.contexts[0]["champion"] is None


def test_the_next_training_sees_what_the_reviewer_said(house: House) -> None:
    script = Script(house, 0.95, 0.96)
    run_id = start(house)
    house.decide(
        "bob", run_id, "reject", comment="recall on young buyers", reasons=[{"kind": "slice", "subject": "age<25"}]
    )
    body = house.run(run_id)
    assert (body["status"], body["attempt"], body["version"]) == ("waiting", 2, "2")
    assert body["attempts"][1]["cause"] == "rejected"
    [said] = script.contexts[2]["feedback"]
    assert (said["by"], said["verdict"], said["comment"]) == ("bob", "reject", "recall on young buyers")
    assert said["reasons"] == [{"kind": "slice", "subject": "age<25"}]
    assert "attempt.started" in house.types(run_id)
    assert script.variables[2]["SIGNOFF_ATTEMPT"] == "2"
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_the_next_training_sees_which_checks_failed(house: House) -> None:
    script = Script(house, 0.85, 0.95)
    run_id = start(house)
    assert house.status(run_id) == "waiting"
    assert script.contexts[2]["cause"] == "check_failed"
    [check] = script.contexts[2]["failed_checks"]
    assert (check["step"], check["name"], check["seen"]) == ("test", "accuracy > 0.9", {"accuracy": 0.85})
    assert "0.85" in check["reason"]


def test_attempts_used_up_by_checks_end_failed(house: House) -> None:
    Script(house, 0.8, 0.85)
    run_id = start(house)
    body = house.run(run_id)
    assert (body["status"], body["model_status"], body["attempt"]) == ("failed", "failed", 2)
    assert body["error"] == "all 2 attempts are used up"


def test_attempts_used_up_by_rejections_end_rejected(house: House) -> None:
    Script(house, 0.95, 0.96)
    run_id = start(house)
    house.decide("bob", run_id, "reject")
    house.decide("bob", run_id, "reject")
    body = house.run(run_id)
    assert (body["status"], body["error"]) == ("rejected", "all 2 attempts are used up")
    assert len(body["attempts"]) == 2


def test_an_interval_across_the_limit_goes_to_people(house: House) -> None:
    Script(house, {"value": 0.91, "low": 0.89, "high": 0.93})
    run_id = start(house)
    assert house.status(run_id) == "waiting"
    [check] = house.step(run_id, "test")["evidence"]["checks"]
    assert (check["status"], check["is_measured"]) == ("uncertain", True)


def test_an_interval_across_the_limit_fails_where_nobody_follows(house: House) -> None:
    Script(house, {"value": 0.91, "low": 0.89, "high": 0.93})
    without_people = TRAINS.split("  - name: approve", maxsplit=1)[0].replace("    on_fail: retrain\n", "")
    run_id = start(house, without_people)
    assert house.status(run_id) == "failed"


def test_an_uncertain_policy_asks_people(house: House) -> None:
    Script(house, {"value": 0.91, "low": 0.89, "high": 0.93})
    run_id = start(house, TRAINS.replace("['bob']}", "['bob'], auto_approve_if: accuracy > 0.9}"))
    assert house.status(run_id) == "waiting"
    assert "Not approved by policy" in house.gate(run_id)["note"]


def test_a_policy_approves_by_what_was_measured_where_claims_do_not_count(house: House) -> None:
    house.environments(replace(PRODUCTION, accept_claimed=False, require=Requirements(measured=True)))
    Script(house, 0.95)
    pipeline = TRAINS.replace("['bob']}", "['bob'], auto_approve_if: accuracy > 0.9}")
    run_id = start(house, pipeline + "  - {name: deploy, type: deployment, inputs: {environment: production}}\n")
    assert house.run(run_id)["model_status"] == "deployed"


def test_a_submitted_version_takes_the_place_of_the_first_training(house: House) -> None:
    script = Script(house, 0.95, 0.96)
    run_id = house.submit(TRAINS, house.version(), snapshot=folder(house))
    step = house.step(run_id, "train")
    assert (step["status"], step["note"]) == ("skipped", "the submitted version takes its place")
    assert len(script.contexts) == 1
    house.decide("bob", run_id, "request_changes")
    assert house.step(run_id, "train")["status"] == "succeeded"
    assert (house.run(run_id)["version"], house.status(run_id)) == ("2", "waiting")


def test_a_command_that_fails_errors_the_run_and_a_retry_tries_again(house: House) -> None:
    script = Script(house, 0.95)
    train = house.runner._commands["train"]
    house.runner._commands["train"] = lambda *_: 3
    run_id = start(house)
    body = house.run(run_id)
    assert body["status"] == "errored"
    assert "train ended with exit status 3" in body["error"]
    assert f"signoff logs {run_id} train" in body["error"]
    house.runner._commands["train"] = train
    made(house.as_("erin").post(f"/runs/{run_id}/retry"))
    house.work()
    assert house.status(run_id) == "waiting"
    assert script.variables[0]["SIGNOFF_TRY"] == "1"


def test_a_command_with_retries_is_repeated_by_itself(house: House) -> None:
    script = Script(house, 0.95)
    train = script.train

    def second_time_lucky(task: Task, log: Log, _should_stop: Callable[[], str | None]) -> int:
        return 1 if task.try_number == 1 else train(task, log, _should_stop)

    house.runner._commands["train"] = second_time_lucky
    run_id = start(house, TRAINS.replace("run: train --fast,", "run: train --fast, retries: 1,"))
    assert house.status(run_id) == "waiting"
    assert house.step(run_id, "train")["tries"] == 2
    assert script.variables[0]["SIGNOFF_TRY"] == "2"
    assert house.types(run_id).count("step.errored") == 1


def test_a_training_that_leaves_no_model_errors_and_says_so(house: House) -> None:
    Script(house)
    house.runner._commands["train"] = lambda *_: 0
    run_id = start(house)
    assert house.status(run_id) == "errored"
    assert "delivered no model" in house.run(run_id)["error"]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ("{", "metrics.json is not JSON"),
        ("[1]", "must be an object"),
        ('{"accuracy": "0.9"}', "accuracy is '0.9', not a number"),
        ('{"accuracy": {"n": 3}}', "accuracy has no value"),
        ('{"accuracy": {"value": 0.9, "low": 0.95, "high": 0.99}}', "outside its own interval"),
    ],
)
def test_metrics_that_cannot_be_read_error_the_step_in_words(house: House, left: str, words: str) -> None:
    Script(house)

    def evaluate(task: Task, log: Log, _should_stop: Callable[[], str | None]) -> int:
        (Path(task.environment["SIGNOFF_OUTPUT"]) / "metrics.json").write_text(left)
        return 0

    house.runner._commands["evaluate"] = evaluate
    run_id = start(house)
    assert house.status(run_id) == "errored"
    assert words in house.run(run_id)["error"]


def test_a_failed_test_of_junit_fails_the_step_whatever_the_exit_status(house: House) -> None:
    Script(house)

    def evaluate(task: Task, log: Log, _should_stop: Callable[[], str | None]) -> int:
        output = Path(task.environment["SIGNOFF_OUTPUT"])
        (output / "metrics.json").write_text('{"accuracy": 0.99}')
        (output / "junit.xml").write_text(
            '<testsuite><testcase name="fair"><failure message="gap of 9 points"/></testcase></testsuite>'
        )
        return 1

    house.runner._commands["evaluate"] = evaluate
    run_id = start(house, TRAINS.replace("    on_fail: retrain\n", ""))
    body = house.run(run_id)
    assert (body["status"], body["error"]) == ("failed", "fair: gap of 9 points")
    files = house.step(run_id, "test")["evidence"]["files"]
    assert [file["path"] for file in files] == ["junit.xml", "metrics.json"]


def test_bytes_that_changed_before_their_test_error_the_step(house: House) -> None:
    Script(house, 0.95)
    reference = house.version()
    run_id = str(
        made(house.as_("alice").post("/runs", {"pipeline": TRAINS, "model": reference, "snapshot": folder(house)}))[
            "id"
        ]
    )
    house.tamper()
    house.work()
    assert house.status(run_id) == "errored"
    assert "are not those that were submitted" in house.run(run_id)["error"]


def test_who_resubmits_does_not_approve_it(house: House) -> None:
    run_id = house.submit("steps:\n  - {name: approve, type: approval, inputs: {approvers: ['bob', 'carol']}}\n")
    house.decide("bob", run_id, "request_changes")
    with house.unchanged():
        answer = house.as_("carol").post(f"/runs/{run_id}/submissions", {"model": house.version()})
    refused(answer, 403, "not_allowed")
    made(house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": house.version()}))
    house.work()
    assert house.gate(run_id)["excluded"] == ["alice"]
    # Who decided about the attempt before may decide about this one.
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"
