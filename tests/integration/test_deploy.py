"""Deployments on a real database: only what was approved, one at a time, never a step back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from factories import ALICE, CAROL, DAVE, ERIN, MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.domain.environment import LOCAL, DeploymentStatus, Requirements
from signoff.domain.errors import UnavailableError
from signoff.domain.version import ModelVersion
from signoff.engine.tick import keep_serving
from signoff.ports import Release
from signoff.store import deployments, runs

LOCALLY = APPROVE_AND_DEPLOY.replace("production", "local")


def live(house: House, alias: str = "champion") -> str | None:
    found = house.registry.alias(MODEL, alias)
    return found.version if found is not None else None


def start_deploying(house: House, run_id: str) -> None:
    """What a worker does that dies right after it took the environment."""
    made(house.says("bob", run_id, "approve"))
    house.take_jobs()
    deployer = house.machinery.deployers["alias"]

    class DeadError(BaseException):
        pass

    def die(release: Release) -> None:
        raise DeadError

    house.machinery.deployers["alias"].deploy = die  # type: ignore[method-assign]
    with pytest.raises(DeadError):
        house.advance(run_id)
    del deployer.deploy
    house.take_jobs()


def test_an_approved_version_goes_live_and_the_record_says_so(house: House) -> None:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    body = house.run(run_id)
    [deployment] = body["deployments"]
    assert (deployment["environment"], deployment["version"], deployment["status"]) == ("production", "1", "live")
    assert deployment["digest"] == body["attempts"][0]["digest"]
    assert (body["status"], body["model_status"], live(house)) == ("succeeded", "deployed", "1")
    assert house.types(run_id) == [
        "run.submitted",
        "gate.opened",
        "gate.decided",
        "gate.closed",
        "step.succeeded",
        "deployment.started",
        "step.started",
        "step.succeeded",
        "deployment.succeeded",
        "run.succeeded",
    ]


def test_a_newer_version_replaces_the_former(house: House) -> None:
    first, second = house.submit(), house.submit()
    house.decide("bob", first, "approve")
    house.decide("bob", second, "approve")
    assert live(house) == "2"
    found = made(house.as_("dave").get("/deployments"))["items"]
    assert [(d["version"], d["status"]) for d in found] == [("2", "live"), ("1", "replaced")]
    assert house.run(first)["model_status"] == "superseded"


def test_an_older_version_approved_later_is_superseded(house: House) -> None:
    older, newer = house.submit(), house.submit()
    house.decide("bob", newer, "approve")
    house.decide("bob", older, "approve")
    body = house.run(older)
    assert (body["status"], body["model_status"]) == ("superseded", "superseded")
    assert body["error"] == "v2, which is newer, was deployed to production meanwhile"
    assert live(house) == "2"
    assert "run.superseded" in house.types(older)


def test_an_older_version_submitted_after_the_newer_went_live_is_deployed(house: House) -> None:
    old, new = house.version(), house.version()
    newer = house.submit(model=new)
    house.decide("bob", newer, "approve")
    older = house.submit(model=old)
    house.decide("bob", older, "approve")
    assert (house.status(older), live(house)) == ("succeeded", "1")


def test_bytes_that_changed_between_approval_and_deployment_are_refused(house: House) -> None:
    run_id = house.submit()
    start_deploying(house, run_id)
    house.tamper()
    house.advance(run_id)
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"], gate["status"]) == ("waiting", 2, "open")
    assert "the model's bytes changed after the approval" in gate["note"]
    assert live(house) is None
    [refusal] = [e for e in house.events(run_id) if e.type == "deployment.refused"]
    assert "the model's bytes changed" in refusal.detail["why"]
    assert [d["status"] for d in house.run(run_id)["deployments"]] == ["failed"]
    house.decide("bob", run_id, "approve")
    assert (house.status(run_id), live(house)) == ("succeeded", "1")


def test_an_approver_who_left_before_the_deployment_opens_the_gate_again(house: House) -> None:
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol']"))
    start_deploying(house, run_id)
    house.people(ALICE, CAROL, DAVE, ERIN)
    house.advance(run_id)
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"]) == ("waiting", 2)
    assert "somebody who approved may no longer decide here" in gate["note"]
    assert live(house) is None
    house.decide("carol", run_id, "approve")
    assert (house.status(run_id), live(house)) == ("succeeded", "1")


def test_what_the_environment_came_to_require_is_asked_again_before_the_deployment(house: House) -> None:
    run_id = house.submit()
    start_deploying(house, run_id)
    house.environments(replace(PRODUCTION, require=Requirements(measured=True)))
    house.advance(run_id)
    assert (house.status(run_id), live(house)) == ("errored", None)
    assert "deploy was refused: production accepts measured metrics only" in house.run(run_id)["error"]
    assert [d["status"] for d in house.run(run_id)["deployments"]] == ["failed"]


def test_a_deployment_that_a_worker_died_in_is_done_again_once(house: House) -> None:
    run_id = house.submit()
    start_deploying(house, run_id)
    house.advance(run_id)
    assert (house.status(run_id), live(house)) == ("succeeded", "1")
    assert house.types(run_id).count("deployment.started") == 1
    assert house.types(run_id).count("deployment.succeeded") == 1
    assert len(house.run(run_id)["deployments"]) == 1


def test_two_runs_for_one_environment_go_one_after_the_other(house: House) -> None:
    first, second = house.submit(), house.submit()
    start_deploying(house, first)
    house.decide("bob", second, "approve")
    assert house.status(second) == "running"
    assert house.step(second, "deploy")["note"] == f"waits for the deployment of v1 (run {first})"
    assert live(house) is None
    house.advance(second)
    assert house.types(second).count("step.queued") == 1
    house.advance(first)
    house.work()
    assert (house.status(first), house.status(second), live(house)) == ("succeeded", "succeeded", "2")
    assert house.step(second, "deploy")["note"] == f"{MODEL} v2 is live in production"


def test_another_environment_does_not_wait(house: House) -> None:
    first = house.submit()
    second = house.submit(APPROVE_AND_DEPLOY.replace("production", "staging"))
    start_deploying(house, first)
    house.decide("bob", second, "approve")
    assert (house.status(second), live(house, "staging")) == ("succeeded", "2")


def test_a_target_that_is_away_errors_the_step_and_lets_others_go_on(house: House) -> None:
    first, second = house.submit(LOCALLY), house.submit(LOCALLY)
    house.deployer.failing = UnavailableError("The model server did not answer.")
    house.decide("bob", first, "approve")
    body = house.run(first)
    assert (body["status"], body["deployments"][0]["status"]) == ("errored", "failed")
    house.deployer.failing = None
    house.decide("bob", second, "approve")
    assert house.status(second) == "succeeded"
    made(house.as_("alice").post(f"/runs/{first}/retry"))
    house.work()
    assert house.status(first) == "superseded"


def test_a_retried_deployment_is_a_new_one(house: House) -> None:
    run_id = house.submit(LOCALLY)
    house.deployer.failing = UnavailableError("The model server did not answer.")
    house.decide("bob", run_id, "approve")
    house.deployer.failing = None
    made(house.as_("alice").post(f"/runs/{run_id}/retry"))
    house.work()
    body = house.run(run_id)
    assert body["status"] == "succeeded"
    assert [d["status"] for d in body["deployments"]] == ["live", "failed"]


def test_two_deployment_steps_go_to_two_environments(house: House) -> None:
    both = APPROVE_AND_DEPLOY.replace("production", "staging") + (
        "  - {name: confirm, type: approval, inputs: {approvers: ['carol']}}\n"
        "  - {name: release, type: deployment, inputs: {environment: production}}\n"
    )
    run_id = house.submit(both)
    house.decide("bob", run_id, "approve")
    assert (house.status(run_id), live(house, "staging"), live(house)) == ("waiting", "1", None)
    house.decide("carol", run_id, "approve", "confirm")
    assert (house.status(run_id), live(house)) == ("succeeded", "1")
    assert {d["environment"] for d in house.run(run_id)["deployments"]} == {"staging", "production"}


def test_a_model_server_that_is_gone_is_brought_back_from_the_approved_bytes(house: House) -> None:
    run_id = house.submit(LOCALLY)
    house.decide("bob", run_id, "approve")
    house.deployer.lose("local", MODEL)
    keep_serving(house.machinery)
    back = house.deployer.current(LOCAL, MODEL)
    assert back is not None
    assert back.digest == house.run(run_id)["attempts"][0]["digest"]


def test_every_model_server_is_brought_back_however_many_there_are(house: House) -> None:
    house.decide("bob", house.submit(LOCALLY), "approve")
    with house.database.begin() as tx:
        newer = """INSERT INTO deployments SELECT (jsonb_populate_record(d, jsonb_build_object(
            'id', 'other' || n, 'key', 'other/' || n, 'environment', 'production', 'model', 'other' || n,
            'started_at', d.started_at + n * interval '1 second'))).* FROM deployments d, generate_series(1, 201) n"""
        assert tx.execute(text(newer)).rowcount == 201
    house.deployer.lose("local", MODEL)
    keep_serving(house.machinery)
    assert house.deployer.current(LOCAL, MODEL) is not None


def test_a_model_server_is_not_brought_back_with_other_bytes(house: House) -> None:
    run_id = house.submit(LOCALLY)
    house.decide("bob", run_id, "approve")
    house.deployer.lose("local", MODEL)
    house.tamper()
    keep_serving(house.machinery)
    assert house.deployer.current(LOCAL, MODEL) is None


def test_a_folder_that_is_no_mlflow_model_is_not_submitted_for_the_model_server(house: House) -> None:
    reference = house.version()
    (house.registry.where(MODEL, "1") / "MLmodel").unlink()
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": LOCALLY, "model": reference})
    assert "is not in MLflow's model format" in refused(answer, 422, "not_servable")
    run_id = house.submit(model=reference)
    house.decide("bob", run_id, "approve")
    assert live(house) == "1"


def test_an_environment_holds_one_deployment_at_a_time(house: House) -> None:
    first, second = house.submit(), house.submit()
    start_deploying(house, first)
    with house.database.begin() as tx:
        run = runs.get_run(tx, second)
        mine = deployments.find_deploying(tx, "production", MODEL)
        assert isinstance(run.attempt.version, ModelVersion)
        assert mine is not None
        other = replace(mine, id="other", run_id=second)
        assert deployments.begin_deployment(tx, other, run.attempt.version, "other", audit=[]) is None
        elsewhere = replace(other, environment=STAGING.name)
        assert deployments.begin_deployment(tx, elsewhere, run.attempt.version, "more", audit=[]) == elsewhere
    assert mine.status is DeploymentStatus.DEPLOYING
