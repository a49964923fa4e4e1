"""What runs is held against what was signed off, every minute: found once, told, put back where that is wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from factories import MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made
from signoff.adapters.deploy.alias import AliasDeployer
from signoff.domain.drift import SELF_HEAL, Drift, Sighting
from signoff.domain.environment import DeployerSpec, Environment
from signoff.domain.errors import UnhealthyError
from signoff.domain.pipeline import RuleSpec
from signoff.engine import drift
from signoff.ports import Live
from signoff.store import drifts

HEALING = replace(PRODUCTION, self_heal=True)
LOCALLY = APPROVE_AND_DEPLOY.replace("environment: production", "environment: local")


def deployed(house: House, pipeline: str = APPROVE_AND_DEPLOY) -> str:
    """The next version is approved and live; its run."""
    run_id = house.submit(pipeline)
    house.decide("bob", run_id, "approve")
    return run_id


def move(house: House, version: str = "2", alias: str = "champion", model: str = MODEL) -> None:
    """Somebody moves the alias in the registry, past signoff."""
    house.registry.set_alias(model, alias, version)


def look(house: House, minutes: float = 2) -> None:
    """Some minutes later the tick looks, and the workers do what follows."""
    house.clock.wait(minutes=minutes)
    drift.watch(house.machinery)
    house.work()


def found(house: House) -> list[Drift]:
    with house.database.begin() as tx:
        return drifts.list_open(tx)


def told(house: House, kind: str = "deployment.unapproved") -> list[dict[str, Any]]:
    return [dict(event.detail) for event in house.events() if event.type.value == kind]


def alias(house: House) -> str:
    return house.registry.list_aliases()[MODEL]["champion"]


def newest(house: House) -> dict[str, Any]:
    one: dict[str, Any] = made(house.as_("dave").get("/deployments"))["items"][0]
    return one


@pytest.fixture
def live(house: House) -> House:
    """v1 is approved and live in production; v2 is only registered."""
    deployed(house)
    house.version()
    return house


# What is found, and how often that is said


def test_what_was_signed_off_is_no_drift(live: House) -> None:
    live.clock.wait(minutes=2)
    with live.unchanged():
        drift.watch(live.machinery)


def test_an_alias_that_somebody_moved_is_told_once_however_often_it_is_seen(live: House) -> None:
    move(live)
    look(live)
    (one,) = found(live)
    assert one.sentence == (
        "production serves fraud-detector v2 (its alias champion points there), and what was signed off is v1."
    )
    assert one.hint == "`signoff rollback production fraud-detector --to 1 -m WHY` puts v1 back."
    (event,) = told(live)
    assert (event["found"], event["version"], event["environment"]) == ("2", "1", "production")
    live.clock.wait(minutes=1)
    with live.unchanged():
        drift.watch(live.machinery)


def test_the_minute_tick_looks(live: House) -> None:
    move(live)
    live.tick()
    assert [one.version for one in found(live)] == ["2"]


def test_another_wrong_version_is_another_finding(live: House) -> None:
    move(live)
    look(live)
    live.version()
    move(live, "3")
    look(live, 1)
    assert [event["found"] for event in told(live)] == ["2", "3"]
    assert [one.version for one in found(live)] == ["3"]
    assert told(live, "deployment.restored") == []


def test_when_it_is_right_again_that_is_recorded(live: House) -> None:
    move(live)
    look(live)
    move(live, "1")
    look(live, 1)
    assert found(live) == []
    (event,) = told(live, "deployment.restored")
    assert (event["why"], event["environment"]) == ("v1 is found there again", "production")
    move(live)
    look(live, 1)
    assert len(told(live)) == 2, "it is told anew when it happens again"


def test_a_deployment_ends_it(live: House) -> None:
    move(live)
    look(live)
    deployed(live)
    look(live)
    assert found(live) == []
    assert told(live, "deployment.restored")[0]["why"] == "v3 was deployed there"


def test_an_alias_that_is_gone_is_told(live: House) -> None:
    live.registry.drop_alias(MODEL, "champion")
    look(live)
    (one,) = found(live)
    assert one.sentence == (
        "production serves no version of fraud-detector by its alias: the alias champion of fraud-detector points "
        "nowhere, and what was signed off is v1."
    )


def test_an_alias_on_a_model_that_signoff_never_deployed_there_is_told(house: House) -> None:
    house.version(model="churn")
    move(house, "1", "champion", "churn")
    look(house)
    (one,) = found(house)
    assert (one.environment, one.model, one.is_unknown) == ("production", "churn", True)
    assert one.sentence == (
        "production serves churn v1 (its alias champion points there), which nobody signed off there."
    )
    assert one.hint == "`signoff adopt production churn -m WHY` takes in what ran before signoff came."
    house.registry.drop_alias("churn", "champion")
    look(house, 1)
    assert found(house) == []
    assert told(house, "deployment.restored")[0]["why"] == "nothing is found there any more"


def test_the_built_in_local_is_nobodys_production(house: House) -> None:
    house.environments(STAGING)
    house.version()
    move(house, "1")
    look(house)
    assert found(house) == []


def test_an_environment_that_is_gone_has_no_drift(house: House) -> None:
    house.version(model="churn")
    move(house, "1", "champion", "churn")
    look(house)
    house.environments(STAGING)
    look(house, 1)
    assert found(house) == []
    assert told(house, "deployment.restored")[0]["why"] == "there is no such environment any more"


# What is not drift


def test_a_registry_that_is_down_is_not_drift(live: House, caplog: pytest.LogCaptureFixture) -> None:
    move(live)
    live.registry.is_down = True
    live.clock.wait(minutes=2)
    with live.unchanged():
        drift.watch(live.machinery)
    assert "the registry was not looked at" in caplog.text
    live.registry.is_down = False
    look(live, 1)
    assert len(found(live)) == 1
    live.registry.is_down = True
    look(live, 1)
    assert len(found(live)) == 1, "and what was found stays found"


def test_a_deployment_under_way_is_left_to_itself(live: House) -> None:
    run_id = deployed(live)
    live.clock.wait(minutes=2)
    made(live.as_("bob").post(f"/environments/production/models/{MODEL}/rollback", {"why": "slow"}))
    move(live, "2")
    drift.watch(live.machinery)
    assert found(live) == []
    live.work()
    assert live.status(run_id) == "succeeded"
    look(live)
    assert found(live) == []


def test_what_was_deployed_a_moment_ago_may_have_been_seen_before(live: House) -> None:
    move(live)
    deployed(live)
    move(live)
    look(live, 0.5)
    assert found(live) == []
    look(live, 1)
    assert len(found(live)) == 1


def test_an_alias_that_another_environment_shares_and_moved_is_explained(house: House) -> None:
    house.environments(PRODUCTION, replace(STAGING, deployer=DeployerSpec("alias", "champion")))
    deployed(house, APPROVE_AND_DEPLOY.replace("production", "staging"))
    look(house)
    assert found(house) == []


def test_an_environment_without_protection_does_not_speak_for_a_protected_one(house: House) -> None:
    guarded = replace(PRODUCTION, rules=(RuleSpec("risk", ("bob",)),))
    shared = replace(STAGING, deployer=DeployerSpec("alias", "champion"))
    house.environments(guarded, shared)
    deployed(house)
    deployed(house, APPROVE_AND_DEPLOY.replace("production", "staging"))
    look(house)
    assert [(one.environment, one.version, one.signed_version) for one in found(house)] == [("production", "2", "1")]


def test_a_bug_at_one_environment_hides_nothing_of_the_others(
    live: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> list[Sighting]:
        raise ValueError("surprise")

    deployed(live, LOCALLY)
    monkeypatch.setattr(live.deployer, "observe", broken)
    move(live)
    look(live)
    assert [one.environment for one in found(live)] == ["production"]
    assert "surprise" in caplog.text


# The model server's own word


def test_a_server_that_runs_something_else_is_found_by_what_it_says(house: House) -> None:
    deployed(house, LOCALLY)
    house.deployer.swap("local", MODEL, Live("7", "sha256:" + "7" * 64))
    look(house)
    (one,) = found(house)
    assert one.sentence == "local serves fraud-detector v7 (its server says so), and what was signed off is v1."


def test_other_bytes_of_the_same_version_are_found(house: House) -> None:
    deployed(house, LOCALLY)
    house.deployer.swap("local", MODEL, Live("1", "sha256:" + "7" * 64))
    look(house)
    (one,) = found(house)
    assert one.sentence.startswith("local runs other bytes of fraud-detector v1 than those signed off: 777777777777,")


def test_a_server_that_is_gone_does_not_end_what_it_said_before(house: House) -> None:
    deployed(house, LOCALLY)
    house.deployer.swap("local", MODEL, Live("7", None))
    look(house)
    house.deployer.lose("local", MODEL)
    look(house, 1)
    assert len(found(house)) == 1


def test_a_deployer_that_cannot_tell_is_looked_at_by_its_alias(house: House) -> None:
    class Silent(AliasDeployer):
        observe = None  # type: ignore[assignment]

    house.machinery.deployers["alias"] = Silent(house.registry)  # type: ignore[index]
    deployed(house)
    house.version()
    move(house)
    look(house)
    assert [one.version for one in found(house)] == ["2"]


# Putting it back


def test_where_the_environment_says_so_what_was_signed_off_is_put_back(live: House) -> None:
    live.environments(HEALING, STAGING)
    before = newest(live)
    move(live)
    look(live)
    assert (alias(live), found(live)) == ("1", [])
    back = newest(live)
    assert (back["kind"], back["status"], back["by"], back["version"]) == ("restore", "restored", SELF_HEAL, "1")
    served = [one for one in made(live.as_("dave").get("/deployments"))["items"] if one["status"] == "live"]
    assert [one["id"] for one in served] == [before["id"]], "what is live is the same deployment as before"
    restored = [event for event in live.events() if event.type.value == "deployment.restored"]
    assert [(event.actor, event.detail["found"]) for event in restored] == [(SELF_HEAL, "2")]
    assert told(live)[0]["self_heal"] == "v1 is being put back"
    look(live)
    assert len(told(live)) == 1


def test_without_it_nothing_is_put_back(live: House) -> None:
    move(live)
    look(live)
    look(live)
    assert alias(live) == "2"


def test_what_was_revoked_is_not_put_back(live: House) -> None:
    live.environments(HEALING, STAGING)
    made(live.as_("carol").post(f"/models/{MODEL}/versions/1/revoke", {"why": "it leaks"}))
    move(live)
    look(live)
    assert alias(live) == "2"
    assert found(live)[0].note == "nothing is put back: fraud-detector v1 was revoked by carol: it leaks"


def test_what_is_revoked_before_a_worker_comes_to_it_is_not_put_back_either(live: House) -> None:
    live.environments(HEALING, STAGING)
    move(live)
    live.clock.wait(minutes=2)
    drift.watch(live.machinery)
    made(live.as_("carol").post(f"/models/{MODEL}/versions/1/revoke", {"why": "it leaks"}))
    live.work()
    assert (alias(live), newest(live)["status"]) == ("2", "failed")


def test_bytes_that_changed_in_the_registry_are_not_put_back(live: House) -> None:
    live.environments(HEALING, STAGING)
    live.tamper("1")
    move(live)
    look(live)
    assert (alias(live), newest(live)["status"]) == ("2", "failed")
    assert "The bytes of fraud-detector v1 changed since they were approved" in newest(live)["note"]
    assert len(found(live)) == 1


def test_a_version_that_did_not_get_healthy_is_not_tried_for_ever(house: House) -> None:
    locally = Environment("local", DeployerSpec(type="server"), accept_claimed=True, self_heal=True)
    house.environments(PRODUCTION, locally)
    deployed(house, LOCALLY)
    house.deployer.swap("local", MODEL, Live("7", None))
    house.deployer.failing = UnhealthyError("v1 did not get healthy.")
    look(house)
    house.deployer.failing = None
    look(house)
    assert newest(house)["status"] == "unhealthy"
    assert "failed its health check" in found(house)[0].note


def test_who_moves_it_away_again_and_again_is_not_fought_for_ever(live: House) -> None:
    live.environments(HEALING, STAGING)
    for _ in range(3):
        move(live)
        look(live)
        assert alias(live) == "1"
    move(live)
    look(live)
    assert alias(live) == "2"
    assert found(live)[0].note == "v1 was put back 3 times within an hour, and is not again for now"
    look(live, 60)
    assert alias(live) == "1"


def test_healing_waits_for_a_deployment_and_never_undoes_it(live: House) -> None:
    live.environments(HEALING, STAGING)
    deployed(live)
    live.clock.wait(minutes=2)
    move(live, "1")
    made(live.as_("bob").post(f"/environments/production/models/{MODEL}/rollback", {"why": "slow"}))
    drift.watch(live.machinery)
    live.work()
    look(live)
    assert (alias(live), found(live)) == ("1", [])
    assert [one["kind"] for one in made(live.as_("dave").get("/deployments"))["items"]] == ["rollback", "run", "run"]


def test_nothing_is_put_back_where_nothing_was_signed_off(house: House) -> None:
    house.environments(HEALING, STAGING)
    house.version()
    move(house, "1")
    look(house)
    assert alias(house) == "1"
    assert found(house)[0].note == "nothing was signed off there that could be put back"
