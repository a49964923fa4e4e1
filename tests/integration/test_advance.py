"""The engine on a real database: runs go where the pipeline file sends them, whatever people and checks say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from factories import ALICE, BOB, CAROL, DAVE, ERIN, MODEL, a_rule
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.domain.actor import SYSTEM, Person
from signoff.domain.environment import LOCAL, Requirements
from signoff.domain.errors import FencedError, UnhealthyError
from signoff.domain.run import RunStatus, StepStatus
from signoff.service.environments import apply_environments
from signoff.store import runs
from signoff.store.environments import get_environments

SMALLEST = """\
steps:
  - name: manual_approval
    type: approval
    inputs:
      approvers: ['team_lead']
"""
TRAINED_OUTSIDE = """\
steps:
  - name: train_model
    type: training
  - name: approve_model
    type: approval
    inputs:
      approvers: ['bob']
    on_reject: fail_pipeline
"""
CHECKED = """\
steps:
  - name: test
    type: test
    inputs: {checks: ['accuracy > 0.9']}
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
"""
AUTO = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob'], auto_approve_if: accuracy > 0.9}
  - name: deploy
    type: deployment
    inputs: {environment: local}
"""


def test_the_smallest_file_waits_for_its_approver_and_ends_approved(house: House) -> None:
    lead = Person("team_lead", BOB.roles)
    house.people(ALICE, BOB, CAROL, DAVE, ERIN, lead)
    run_id = house.submit(SMALLEST)
    body = house.run(run_id)
    assert (body["status"], body["model_status"], body["can_unblock"]) == ("waiting", "in_review", ["team_lead"])
    house.decide("team_lead", run_id, "approve", "manual_approval")
    body = house.run(run_id)
    assert (body["status"], body["model_status"]) == ("succeeded", "approved")
    assert house.registry.alias(MODEL, "champion") is None


def test_a_version_trained_outside_satisfies_a_training_step_without_a_command(house: House) -> None:
    run_id = house.submit(TRAINED_OUTSIDE)
    step = house.step(run_id, "train_model")
    assert (step["status"], step["note"]) == ("succeeded", f"satisfied by {MODEL} v1, trained outside")
    house.decide("bob", run_id, "reject", "approve_model")
    body = house.run(run_id)
    assert (body["status"], body["model_status"], body["attempt"]) == ("rejected", "rejected", 1)


def test_the_second_smallest_file_ends_at_alices_reject(house: House) -> None:
    house.people(Person("alice", BOB.roles), Person("bob", ALICE.roles), CAROL, DAVE, ERIN)
    exactly = TRAINED_OUTSIDE.replace("['bob']", "['alice']")
    run_id = house.submit(exactly, by="bob")
    assert house.run(run_id)["can_unblock"] == ["alice"]
    house.decide("alice", run_id, "reject", "approve_model")
    assert house.status(run_id) == "rejected"


def test_requested_changes_wait_for_the_next_version_and_its_approval(house: House) -> None:
    run_id = house.submit(TRAINED_OUTSIDE)
    house.decide("bob", run_id, "request_changes", "approve_model")
    body = house.run(run_id)
    assert (body["status"], body["can_unblock"]) == ("changes_requested", ["alice"])
    assert f"signoff resubmit {run_id}" in body["waits_for"]
    with house.unchanged():
        same = house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": f"models:/{MODEL}/1"})
    assert "is the version that was sent back" in refused(same, 422, "wrong_model")
    with house.unchanged():
        other = house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": house.version(model="churn")})
    refused(other, 422, "wrong_model")
    made(house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": house.version(), "note": "more data"}))
    house.work()
    body = house.run(run_id)
    assert (body["status"], body["attempt"], body["version"]) == ("waiting", 2, "2")
    assert [a["version"] for a in body["attempts"]] == ["1", "2"]
    house.decide("bob", run_id, "approve", "approve_model")
    assert house.status(run_id) == "succeeded"
    with house.unchanged():
        late = house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": house.version()})
    assert "does not wait for a version: it is succeeded" in refused(late, 409, "conflict")


def test_attempts_used_up_by_people_end_rejected(house: House) -> None:
    run_id = house.submit(f"max_attempts: 2\n{TRAINED_OUTSIDE}")
    house.decide("bob", run_id, "request_changes", "approve_model")
    made(house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": house.version()}))
    house.work()
    house.decide("bob", run_id, "request_changes", "approve_model")
    body = house.run(run_id)
    assert (body["status"], body["error"]) == ("rejected", "all 2 attempts are used up")


def test_a_check_that_says_no_fails_the_run_before_anybody_is_asked(house: House) -> None:
    run_id = house.submit(CHECKED, house.version(accuracy=0.8))
    body = house.run(run_id)
    assert (body["status"], body["model_status"]) == ("failed", "failed")
    assert body["error"] == "accuracy > 0.9: accuracy 0.8 is not above 0.9"
    assert body["attempts"][0]["gates"] == []
    [check] = house.step(run_id, "test")["evidence"]["checks"]
    assert (check["status"], check["is_measured"], check["seen"]) == ("failed", False, {"accuracy": 0.8})


@pytest.mark.parametrize("metrics", [{}, {"accuracy": float("nan")}])
def test_a_metric_that_is_missing_or_nan_fails_its_check(house: House, metrics: dict[str, Any]) -> None:
    run_id = house.submit(CHECKED, house.version(**metrics))
    assert house.status(run_id) == "failed"


def test_on_fail_continue_lets_people_see_it_and_decide(house: House) -> None:
    run_id = house.submit(
        CHECKED.replace("  - name: approve", "    on_fail: continue\n  - name: approve"), house.version(accuracy=0.8)
    )
    assert house.status(run_id) == "waiting"
    assert house.step(run_id, "test")["status"] == "failed"
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_a_warning_fails_nothing(house: House) -> None:
    warns = CHECKED.replace("['accuracy > 0.9']", "[{name: good, that: accuracy > 0.9, severity: warn}]")
    run_id = house.submit(warns, house.version(accuracy=0.8))
    assert house.status(run_id) == "waiting"
    assert house.step(run_id, "test")["evidence"]["checks"][0]["status"] == "failed"


def test_the_metrics_of_a_submission_are_read_as_claimed(house: House) -> None:
    run_id = house.submit(CHECKED, house.version(accuracy=0.5), metrics={"accuracy": 0.95})
    assert house.status(run_id) == "waiting"
    [metric] = house.step(run_id, "test")["evidence"]["metrics"]
    assert (metric["value"], metric["provenance"]) == (0.95, "claimed")


def test_a_policy_approves_by_claimed_metrics_where_the_environment_accepts_them(house: House) -> None:
    run_id = house.submit(AUTO, house.version(accuracy=0.95))
    body = house.run(run_id)
    assert (body["status"], body["model_status"]) == ("succeeded", "deployed")
    [decision] = house.gate(run_id)["decisions"]
    assert decision["by"] == f"policy:{body['pipeline_digest']}"
    assert decision["is_policy"]
    assert decision["saw"] == {"accuracy": 0.95}
    assert "accuracy > 0.9" in decision["comment"]
    assert len(house.deployer.deployed) == 1


@pytest.mark.parametrize("metrics", [{"accuracy": 0.9}, {}, {"accuracy": float("nan")}])
def test_a_policy_that_does_not_say_yes_asks_people(house: House, metrics: dict[str, Any]) -> None:
    run_id = house.submit(AUTO, house.version(**metrics))
    assert house.status(run_id) == "waiting"
    assert house.gate(run_id)["decisions"] == []
    assert "Not approved by policy" in house.gate(run_id)["note"]


def test_a_policy_does_not_approve_by_claimed_metrics_elsewhere(house: House) -> None:
    house.environments(replace(LOCAL, accept_claimed=False))
    run_id = house.submit(AUTO, house.version(accuracy=0.95))
    assert house.status(run_id) == "waiting"
    assert "wants measured" in house.gate(run_id)["note"]


def test_a_policy_does_not_satisfy_an_environments_rule_for_people(house: House) -> None:
    house.environments(replace(LOCAL, rules=(a_rule("carol", name="owner", allow_policy=False),)))
    run_id = house.submit(AUTO, house.version(accuracy=0.95))
    gate = house.gate(run_id)
    assert house.status(run_id) == "waiting"
    assert {rule["name"]: rule["missing"] for rule in gate["rules"] if rule["is_environment"]} == {"owner": 1}
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def champion(house: House, accuracy: float) -> None:
    """Make a new version with this accuracy the champion."""
    house.registry.set_alias(MODEL, "champion", house.version(accuracy=accuracy).rpartition("/")[2])


COMPARED = CHECKED.replace("accuracy > 0.9", "accuracy >= champion.accuracy") + (
    "  - {name: deploy, type: deployment, inputs: {environment: production}}\n"
)


def test_a_comparison_without_a_champion_passes_saying_so(house: House) -> None:
    run_id = house.submit(COMPARED, house.version(accuracy=0.9))
    [check] = house.step(run_id, "test")["evidence"]["checks"]
    assert (check["status"], "no champion to compare with" in check["reason"]) == ("passed", True)


def test_a_champion_that_moved_while_the_gate_waited_opens_it_again_when_a_check_answers_otherwise(
    house: House,
) -> None:
    champion(house, 0.8)
    pipeline = COMPARED.replace("  - name: approve", "    on_fail: continue\n  - name: approve")
    run_id = house.submit(pipeline, house.version(accuracy=0.85))
    first = house.gate(run_id)
    champion(house, 0.9)
    house.decide("bob", run_id, "approve")
    second = house.gate(run_id)
    assert house.status(run_id) == "waiting"
    assert (second["round"], second["status"], second["decisions"]) == (2, "open", [])
    assert second["digest"] != first["digest"]
    assert "the champion is v3 now, and accuracy >= champion.accuracy answers otherwise" in second["note"]
    assert house.step(run_id, "test")["evidence"]["checks"][0]["status"] == "failed"
    assert "gate.voided" in house.types(run_id)
    with house.unchanged():
        refused(house.says("bob", run_id, "approve", digest=first["digest"]), 409, "subject_changed")


def test_a_champion_that_moved_and_changes_no_answer_changes_nothing(house: House) -> None:
    champion(house, 0.8)
    run_id = house.submit(COMPARED, house.version(accuracy=0.85))
    champion(house, 0.82)
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"
    assert house.gate(run_id)["round"] == 1


def test_bytes_that_changed_while_the_gate_waited_open_it_again(house: House) -> None:
    run_id = house.submit()
    first = house.gate(run_id)
    house.tamper()
    house.decide("bob", run_id, "approve")
    second = house.gate(run_id)
    assert (house.status(run_id), second["round"], second["status"]) == ("waiting", 2, "open")
    assert "the model's bytes changed" in second["note"]
    assert second["subject"]["manifest_digest"] != first["subject"]["manifest_digest"]
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_a_registry_that_is_down_for_a_moment_is_asked_again(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    house.registry.is_down = True
    fetch = house.registry.fetch
    asked = []

    def back_at_the_third(*arguments: object) -> object:
        asked.append(1)
        house.registry.is_down = len(asked) < 3
        return fetch(*arguments)  # type: ignore[arg-type]

    house.registry.fetch = back_at_the_third  # type: ignore[method-assign,assignment]
    house.work()
    assert house.status(run_id) == "succeeded"


@pytest.mark.parametrize("downed", ["before the gate closes", "before the gate opens"])
def test_a_registry_that_stays_down_errors_the_run_and_a_retry_finishes_it(house: House, downed: str) -> None:
    reference = house.version(accuracy=0.5)
    if downed == "before the gate opens":
        run_id = str(made(house.as_("alice").post("/runs", {"pipeline": AUTO, "model": reference}))["id"])
    else:
        run_id = house.submit(AUTO, reference)
        made(house.says("bob", run_id, "approve"))
    house.registry.is_down = True
    house.work()
    body = house.run(run_id)
    assert (body["status"], body["model_status"]) == ("errored", "errored")
    assert "did not answer" in body["error"]
    assert f"signoff retry {run_id}" in body["waits_for"]
    assert house.types(run_id)[-2:] == ["step.errored", "run.errored"]
    with house.unchanged():
        refused(house.as_("bob").post(f"/runs/{run_id}/retry"), 403, "not_allowed")
    house.registry.is_down = False
    made(house.as_("alice").post(f"/runs/{run_id}/retry"))
    house.work()
    if downed == "before the gate opens":
        house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"
    with house.unchanged():
        again = house.as_("alice").post(f"/runs/{run_id}/retry")
    assert "only an errored run can be retried" in refused(again, 409, "conflict")


def test_bytes_that_changed_after_an_errored_confirmation_open_the_gate_again(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    house.registry.is_down = True
    house.work()
    house.registry.is_down = False
    house.tamper()
    made(house.as_("alice").post(f"/runs/{run_id}/retry"))
    house.work()
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"], gate["status"]) == ("waiting", 2, "open")
    assert "bytes changed" in gate["note"]


def test_an_approver_who_left_before_the_gate_closed_does_not_count(house: House) -> None:
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol']"))
    made(house.says("bob", run_id, "approve"))
    house.people(ALICE, CAROL, DAVE, ERIN)
    house.work()
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"]) == ("waiting", 2)
    assert "somebody who approved may no longer decide here" in gate["note"]
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_a_worker_that_lost_the_run_writes_nothing(house: House) -> None:
    run_id = house.submit()
    with house.database.begin() as tx:
        stalled = runs.take_run(tx, run_id)
    with house.database.begin() as tx:
        runs.take_run(tx, run_id)

    def write(how: str) -> None:
        at = house.clock()
        with house.database.begin() as tx:
            if how == "run":
                runs.set_run(tx, stalled, status=RunStatus.FAILED, at=at, audit=[])
            elif how == "step":
                runs.set_step(tx, stalled, "approve", status=StepStatus.SUCCEEDED, at=at, audit=[])
            elif how == "version":
                version = stalled.attempt.version
                assert version is not None
                runs.set_version(tx, stalled, replace(version, version="9"), contributors=["eve"], audit=[])
            else:
                following = replace(stalled, attempt=replace(stalled.attempt, number=2))
                runs.add_attempt(tx, following, status=RunStatus.RUNNING, at=at, audit=[])

    for how in ("run", "step", "version", "attempt"):
        with house.unchanged(), pytest.raises(FencedError, match="somebody else"):
            write(how)


def test_a_run_that_waits_is_left_alone_by_a_repeated_wake_up(house: House) -> None:
    run_id = house.submit()
    before = house.run(run_id)
    events = house.types()
    house.advance(run_id)
    house.advance(run_id)
    assert house.run(run_id) == before
    assert house.types() == events


def test_the_registry_shows_where_a_version_stands(house: House) -> None:
    run_id = house.submit()
    assert house.registry.resolve(f"models:/{MODEL}/1", None).tags["signoff.status"] == "in_review"
    house.decide("bob", run_id, "approve")
    tags = house.registry.resolve(f"models:/{MODEL}/1", None).tags
    assert (tags["signoff.status"], tags["signoff.run"]) == ("deployed", run_id)


def test_evidence_older_than_the_environment_allows_is_approved_anew(house: House) -> None:
    house.environments(replace(PRODUCTION, max_age=timedelta(days=1)))
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    house.clock.wait(days=2)
    house.work()
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"], gate["status"]) == ("waiting", 2, "open")
    assert "older than" in gate["note"]
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_what_an_environment_requires_and_a_run_lacks_errors_it_in_words(house: House) -> None:
    run_id = house.submit()
    house.environments(replace(PRODUCTION, require=Requirements(measured=True)))
    house.decide("bob", run_id, "approve")
    body = house.run(run_id)
    assert body["status"] == "errored"
    assert "production accepts measured metrics only" in body["error"]
    assert house.registry.alias(MODEL, "champion") is None


def test_failed_checks_do_not_reach_an_environment_that_wants_them_passed(house: House) -> None:
    house.environments(replace(PRODUCTION, require=Requirements(checks_passed=True)))
    pipeline = CHECKED.replace("  - name: approve", "    on_fail: continue\n  - name: approve")
    pipeline += "  - {name: deploy, type: deployment, inputs: {environment: production}}\n"
    run_id = house.submit(pipeline, house.version(accuracy=0.5))
    house.decide("bob", run_id, "approve")
    assert "these did not: accuracy > 0.9" in house.run(run_id)["error"]


def test_an_environment_takes_only_what_came_from_another(house: House) -> None:
    staging = replace(PRODUCTION, name="staging", deployer=replace(PRODUCTION.deployer, alias="staging"))
    reference = house.version()
    first = house.submit(model=reference)
    house.environments(staging, replace(PRODUCTION, require=Requirements(came_from="staging")))
    house.decide("bob", first, "approve")
    assert "takes only what was deployed to staging first" in house.run(first)["error"]
    between = house.submit(APPROVE_AND_DEPLOY.replace("production", "staging"), reference)
    house.decide("bob", between, "approve")
    assert house.status(between) == "succeeded"
    made(house.as_("alice").post(f"/runs/{first}/retry"))
    house.work()
    assert house.status(first) == "succeeded"


def test_what_came_from_there_counts_however_much_was_deployed_there_since(house: House) -> None:
    reference = house.version()
    house.decide("bob", house.submit(APPROVE_AND_DEPLOY.replace("production", "staging"), reference), "approve")
    with house.database.begin() as tx:
        others = """INSERT INTO deployments SELECT (jsonb_populate_record(d, jsonb_build_object(
            'id', 'other' || n, 'key', 'other/' || n, 'digest', 'sha256:00', 'status', 'replaced',
            'started_at', d.started_at + n * interval '1 second'))).* FROM deployments d, generate_series(1, 201) n"""
        assert tx.execute(text(others)).rowcount == 201
    house.environments(STAGING, replace(PRODUCTION, require=Requirements(came_from="staging")))
    run_id = house.submit(model=reference)
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_a_rule_added_after_the_approval_opens_the_gate_again(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    house.environments(replace(PRODUCTION, rules=(a_rule("carol", name="owner", allow_policy=False),)))
    house.work()
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"]) == ("waiting", 2)
    assert "production now also demands the approval of owner" in gate["note"]
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "waiting"
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_an_environment_that_was_removed_errors_the_run_in_words(house: House) -> None:
    run_id = house.submit()
    apply_environments(house.desk, SYSTEM, {}, force=True)
    house.decide("bob", run_id, "approve")
    assert "There is no environment called production any more" in house.run(run_id)["error"]
    with house.database.begin() as tx:
        assert list(get_environments(tx)) == ["local"]
    house.environments(PRODUCTION)
    made(house.as_("alice").post(f"/runs/{run_id}/retry"))
    house.work()
    assert house.status(run_id) == "succeeded"


def test_an_unhealthy_deployment_fails_the_run_and_the_former_version_serves_on(house: House) -> None:
    pipeline = APPROVE_AND_DEPLOY.replace("production", "local")
    first = house.submit(pipeline)
    house.decide("bob", first, "approve")
    house.deployer.failing = UnhealthyError("v2 did not get healthy in 60 s.")
    second = house.submit(pipeline)
    house.decide("bob", second, "approve")
    body = house.run(second)
    assert (body["status"], body["deployments"][0]["status"]) == ("failed", "unhealthy")
    assert "did not get healthy" in body["error"]
    live = house.deployer.current(LOCAL, MODEL)
    assert live is not None
    assert live.version == "1"
    assert house.run(first)["model_status"] == "deployed"
    assert "deployment.failed" in house.types(second)
