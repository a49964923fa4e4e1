"""A command deploys: whole runs with real processes, from the approval to the log that the pages show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from deploying_scene import ROLLBACK, SECRET, Outside, deployed, log
from factories import CAST, MODEL
from glass import GLASS, LEADS, ask, get, later
from house import APPROVE_AND_DEPLOY, STAGING, House, made
from page_browser import Browser
from runner_scene import all_end
from signoff.adapters.deploy.command import CommandDeployer
from signoff.adapters.runner.local import Limits, LocalRunner
from signoff.domain.deployer import SecretReference
from signoff.domain.errors import UnavailableError


@pytest.fixture
def outside(house: House, tmp_path: Path) -> Outside:
    """The house's production is deployed to by a command that knows a folder."""
    outside = Outside(tmp_path / "outside")
    runner = LocalRunner(Limits(poll=0.05))
    deployers: dict[str, Any] = house.machinery.deployers  # type: ignore[assignment]
    deployers["command"] = CommandDeployer(runner, house.registry, pause=0.05)
    house.environments(outside.environment("production"))
    return outside


def test_an_approved_version_is_deployed_by_the_command_which_sees_what_it_deploys(
    house: House, outside: Outside
) -> None:
    run_id = deployed(house)
    body = house.run(run_id)
    assert (body["status"], body["model_status"]) == ("succeeded", "deployed")
    [deployment] = body["deployments"]
    assert deployment["address"] == "http://models.example.org/fraud"
    [seen] = outside.seen("deploy")
    assert seen["SIGNOFF_IDEMPOTENCY_KEY"] == f"{run_id}/deploy/1/{deployment['id']}"
    assert (seen["SIGNOFF_ENVIRONMENT"], seen["SIGNOFF_MODEL"], seen["SIGNOFF_VERSION"]) == ("production", MODEL, "1")
    assert seen["SIGNOFF_DIGEST"] == deployment["digest"] == seen["digest of the files"]
    assert seen["SIGNOFF_MODEL_URI"] == f"models:/{MODEL}/1"
    assert (seen["SIGNOFF_RUN_ID"], seen["SIGNOFF_KIND"], seen["REGION"]) == (run_id, "run", "eu-west-1")
    assert "SIGNOFF_FORMER_VERSION" not in seen
    assert seen["context"]["approval"]["gates"][0]["step"] == "approve"
    assert log(house, run_id).splitlines() == [
        f"[signoff] deploys {MODEL} v1 to production",
        "deploy of 1",
        f"[signoff] {MODEL} v1 is healthy",
    ]


def test_the_second_deployment_names_the_former_version(house: House, outside: Outside) -> None:
    first, second = deployed(house), deployed(house)
    seen = outside.seen("deploy")[-1]
    assert (seen["SIGNOFF_VERSION"], seen["SIGNOFF_FORMER_VERSION"], outside.serving) == ("2", "1", "2")
    assert seen["SIGNOFF_FORMER_DIGEST"] == house.run(first)["deployments"][0]["digest"]
    assert seen["context"]["former"] == {
        "model": MODEL,
        "version": "1",
        "digest": seen["SIGNOFF_FORMER_DIGEST"],
        "model_uri": f"models:/{MODEL}/1",
    }
    assert (house.status(second), house.run(first)["model_status"]) == ("succeeded", "superseded")


def test_the_command_sees_nothing_of_the_worker_but_what_the_administrator_names(
    house: House, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNOFF_DATABASE_URL", "postgresql://signoff:hunter2@db/signoff")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-worker")
    monkeypatch.setenv("FOR_THE_CLUSTER", "of-the-cluster")
    secrets = {"TOKEN": SecretReference(env="FOR_THE_CLUSTER")}
    house.environments(outside.environment("production", secrets=secrets))
    run_id = deployed(house)
    [seen] = outside.seen("deploy")
    assert seen["TOKEN"] == "of-the-cluster"
    assert {"SIGNOFF_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "FOR_THE_CLUSTER"} & seen.keys() == set()
    assert "hunter2" not in str(seen)
    assert house.status(run_id) == "succeeded"


def test_a_command_that_fails_fails_the_deployment_with_its_last_line_and_goes_back(
    house: House, outside: Outside
) -> None:
    deployed(house)
    outside.tell("fails-deploy")
    run_id = deployed(house)
    body = house.run(run_id)
    [deployment] = body["deployments"]
    assert (body["status"], deployment["status"], outside.serving) == ("errored", "failed", "1")
    why = "The command that deploys to production failed: error: quota of gpus is exceeded, said [secret]. v1 is back."
    assert deployment["note"].startswith(why)
    [seen] = outside.seen("rollback")
    assert (seen["SIGNOFF_VERSION"], seen["SIGNOFF_FAILED_VERSION"]) == ("1", "2")
    assert seen["SIGNOFF_IDEMPOTENCY_KEY"] == f"{run_id}/deploy/1/{deployment['id']}/rollback"
    assert not {"SIGNOFF_MODEL_PATH", "SIGNOFF_FORMER_VERSION"} & seen.keys()
    assert "goes back to fraud-detector v1\nrollback of 1\n" in log(house, run_id)


def test_a_secret_that_the_command_prints_reaches_no_reader(house: House, outside: Outside) -> None:
    outside.tell("fails-deploy")
    run_id = deployed(house)
    assert outside.seen("deploy")[0]["TOKEN"] == SECRET
    assert "said [secret]" in log(house, run_id)
    assert SECRET not in log(house, run_id) + str(house.run(run_id)) + str(house.events(run_id))


def test_a_retry_is_another_deployment_under_another_key(house: House, outside: Outside) -> None:
    outside.tell("fails-deploy")
    run_id = deployed(house)
    outside.forget("fails-deploy")
    made(house.as_("alice").post(f"/runs/{run_id}/retry"))
    house.work()
    assert (house.status(run_id), outside.serving) == ("succeeded", "1")
    assert len({seen["SIGNOFF_IDEMPOTENCY_KEY"] for seen in outside.seen("deploy")}) == 2


def test_where_nothing_was_live_before_there_is_nothing_to_go_back_to(house: House, outside: Outside) -> None:
    outside.tell("fails-deploy")
    run_id = deployed(house)
    assert "Nothing was live there before." in house.run(run_id)["deployments"][0]["note"]
    assert outside.seen("rollback") == []


def test_a_version_that_does_not_get_healthy_fails_the_run_and_goes_back(house: House, outside: Outside) -> None:
    deployed(house)
    environment = outside.environment("production")
    quick = replace(environment.deployer, health_timeout=timedelta(seconds=1))
    house.environments(replace(environment, deployer=quick))
    outside.tell("fails-health")
    run_id = deployed(house)
    body = house.run(run_id)
    assert (body["status"], body["deployments"][0]["status"], outside.serving) == ("failed", "unhealthy", "1")
    assert (
        "v2 did not get healthy within 1s: 0 of 3 replicas answer. v1 is back." in house.step(run_id, "deploy")["note"]
    )
    assert len(outside.seen("health")) > 1
    alias = house.registry.alias(MODEL, "champion")
    assert alias is not None
    assert alias.version == "1"


def test_on_fail_fail_pipeline_leaves_what_there_is(house: House, outside: Outside) -> None:
    deployed(house)
    outside.tell("fails-deploy")
    run_id = house.submit(APPROVE_AND_DEPLOY + "    on_fail: fail_pipeline\n")
    house.decide("bob", run_id, "approve")
    assert (outside.serving, outside.seen("rollback")) == ("2", [])
    assert house.run(run_id)["deployments"][0]["note"].endswith("runs it again.")


def test_a_way_back_that_fails_as_well_is_said(house: House, outside: Outside) -> None:
    deployed(house)
    outside.tell("fails-deploy", "fails-rollback")
    note = house.run(deployed(house))["deployments"][0]["note"]
    assert "Going back to v1 failed as well: The command that goes back in production failed: error: quota" in note


def test_an_alias_that_cannot_be_moved_takes_the_deployment_back_and_is_not_tried_under_the_same_key(
    house: House, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(house)

    def fail(*_: str) -> None:
        raise UnavailableError("The registry did not answer.", "Try again later.")

    monkeypatch.setattr(house.registry, "set_alias", fail)
    body = house.run(deployed(house))
    assert (body["status"], outside.serving) == ("errored", "1")
    assert body["deployments"][0]["note"].startswith("The registry did not answer. v1 is back.")
    assert [seen["SIGNOFF_VERSION"] for seen in outside.seen("deploy")] == ["1", "2"]


def test_exit_status_75_is_asked_again_under_the_same_key_and_takes_nothing_back(
    house: House, outside: Outside
) -> None:
    deployed(house)
    outside.tell("down")
    run_id = deployed(house)
    body = house.run(run_id)
    assert (body["status"], body["deployments"][0]["status"], outside.serving) == ("errored", "failed", "1")
    assert "asks to be asked later: the cluster does not answer." in body["error"]
    tries = [seen["SIGNOFF_IDEMPOTENCY_KEY"] for seen in outside.seen("deploy") if seen["SIGNOFF_VERSION"] == "2"]
    assert (len(tries), len(set(tries)), outside.seen("rollback")) == (3, 1, [])


def test_a_command_that_takes_too_long_is_ended_and_gone_back_from(house: House, outside: Outside) -> None:
    deployed(house)
    house.environments(outside.environment("production", timeout=timedelta(seconds=1)))
    outside.tell("hold-deploy")
    run_id = deployed(house)
    assert "it ran longer than its timeout of 1 seconds. v1 is back." in house.run(run_id)["deployments"][0]["note"]
    assert all_end((outside.root / "held-deploy").read_text())


def test_a_secret_that_is_not_there_is_named_and_nothing_is_run(house: House, outside: Outside) -> None:
    outside.forget("token")
    run_id = deployed(house)
    body = house.run(run_id)
    assert f"The secret TOKEN cannot be read from the file {outside.root}/token: No such file" in body["error"]
    assert (body["status"], outside.lines("seen")) == ("errored", [])


def test_a_command_that_is_not_there_is_named(house: House, outside: Outside) -> None:
    house.environments(outside.environment("production", run=("/nowhere/deploy.sh",)))
    assert "'/nowhere/deploy.sh': No such file or directory" in house.run(deployed(house))["error"]


def test_other_bytes_than_the_approved_are_given_to_no_command(house: House, outside: Outside) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    house.tamper()
    house.work()
    assert (house.status(run_id), outside.lines("seen")) == ("waiting", [])


def test_a_rollback_by_hand_runs_the_same_command_with_the_bytes_of_then(house: House, outside: Outside) -> None:
    first = deployed(house)
    deployed(house)
    wanted = made(house.as_("bob").post(ROLLBACK, {"why": "recall fell"}))
    with structlog.testing.capture_logs() as logs:
        house.work()
    seen = outside.seen("deploy")[-1]
    assert (seen["SIGNOFF_VERSION"], seen["SIGNOFF_KIND"], seen["SIGNOFF_RUN_ID"]) == ("1", "rollback", first)
    assert seen["digest of the files"] == seen["SIGNOFF_DIGEST"]
    assert (seen["SIGNOFF_FORMER_VERSION"], outside.serving) == ("2", "1")
    assert seen["SIGNOFF_IDEMPOTENCY_KEY"] == f"rollback/{wanted['id']}"
    assert made(house.as_("dave").get(f"/deployments/{wanted['id']}"))["status"] == "live"
    said = [entry["line"] for entry in logs if entry.get("deployment") == wanted["id"]]
    assert said[:2] == [f"[signoff] deploys {MODEL} v1 to production", "deploy of 1"]


def test_an_emergency_and_the_return_from_it_go_by_the_command(house: House, outside: Outside) -> None:
    house.people(*CAST, *LEADS)
    glass = replace(GLASS, on_expiry="return_to_former")
    house.environments(replace(outside.environment("production"), break_glass=glass))
    deployed(house)
    house.version()
    made(ask(house, "frank"))
    emergency = made(ask(house, "grace", why=""))
    house.work()
    seen = outside.seen("deploy")[-1]
    assert (seen["SIGNOFF_VERSION"], seen["SIGNOFF_KIND"], outside.serving) == ("2", "break_glass", "2")
    later(house, hours=25)
    assert (get(house, emergency["id"])["status"], outside.serving) == ("returned", "1")
    assert outside.seen("deploy")[-1]["SIGNOFF_KIND"] == "rollback"


def test_an_alias_that_somebody_moved_is_put_right_by_the_command(house: House, outside: Outside) -> None:
    house.environments(replace(outside.environment("production"), self_heal=True))
    deployed(house)
    deployed(house)
    house.registry.set_alias(MODEL, "champion", "1")
    for _ in range(3):
        house.tick()
    seen = outside.seen("deploy")[-1]
    assert (seen["SIGNOFF_KIND"], seen["SIGNOFF_VERSION"], outside.serving) == ("restore", "2", "2")
    alias = house.registry.alias(MODEL, "champion")
    assert alias is not None
    assert alias.version == "2"


def test_the_run_page_leads_to_the_log_of_a_deployment_that_wrote_one(house: House, outside: Outside) -> None:
    run_id = deployed(house)
    house.environments(outside.environment("production"), STAGING)
    by_alias = house.submit(APPROVE_AND_DEPLOY.replace("production", "staging"))
    house.decide("bob", by_alias, "approve")
    assert house.status(by_alias) == "succeeded"
    dave = Browser(house).sign_in("dave")
    path = f"/runs/{run_id}/logs/deploy?attempt=1"
    assert f'href="{path}"' in dave.get(f"/runs/{run_id}").text
    assert "deploy of 1" in dave.get(path).text
    assert "/logs/deploy" not in dave.get(f"/runs/{by_alias}").text


def test_whoever_reads_an_environment_sees_names_and_no_value_of_what_its_command_gets(
    house: House, outside: Outside
) -> None:
    body = made(house.as_("dave").get("/environments/production"))
    shown = body["deployer"]
    assert (shown["type"], shown["env"], shown["secrets"]) == ("command", ["ADDRESS", "REGION"], ["TOKEN"])
    assert shown["run"][-1] == str(outside.root)
    assert "eu-west-1" not in str(body)
    assert "a command deploys" in Browser(house).sign_in("dave").get("/settings").text
