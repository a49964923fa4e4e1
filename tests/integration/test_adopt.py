"""Adopting what ran before signoff came: recorded with its bytes and a review that is owed, never called approved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response

from factories import CAST, MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.domain.actor import Credential, Person, Role
from signoff.domain.environment import BreakGlass, Deployment, DeploymentKind, DeploymentStatus
from signoff.domain.pipeline import RuleSpec
from signoff.engine import adoptions, drift
from signoff.store import deployments

PATH = f"/environments/production/models/{MODEL}"
WHY = "it has served since 2023"
GUARDED = replace(PRODUCTION, rules=(RuleSpec("risk", ("group:risk",), 2),))
Scene = Callable[[House], Response]


@pytest.fixture(autouse=True)
def before(house: House) -> None:
    """v1 has been in production since before signoff came; nobody reviewed it."""
    house.version()
    house.registry.set_alias(MODEL, "champion", "1")


def ask(house: House, who: str = "erin", why: str = WHY, path: str = PATH, **more: Any) -> Response:
    return house.as_(who, **more).post(f"{path}/adopt", {"why": why})


def adopted(house: House) -> dict[str, Any]:
    done = made(ask(house))
    house.work()
    return done


def live(house: House, model: str = MODEL) -> dict[str, Any]:
    items = made(house.as_("dave").get("/deployments"))["items"]
    return next(one for one in items if one["status"] == "live" and one["model"] == model)


def later(house: House, **by: float) -> None:
    house.clock.wait(**by)
    adoptions.attend(house.machinery, house.clock())
    house.work()


# What it is, and what everybody sees


def test_what_ran_is_recorded_with_the_digest_of_its_bytes_and_nothing_outside_is_touched(house: House) -> None:
    before = house.registry.list_aliases()
    done = adopted(house)
    assert (done["kind"], done["status"], done["version"], done["by"]) == ("adopted", "live", "1", "erin")
    assert done["digest"] == house.registry.resolve(f"models:/{MODEL}/1", None).digest
    assert done["note"] == WHY
    assert house.registry.list_aliases() == before
    assert house.deployer.deployed == []
    (event,) = [e for e in house.events() if e.type == "deployment.adopted"]
    assert (event.actor, event.detail["digest"], event.detail["why"]) == ("erin", done["digest"], WHY)


def test_everywhere_it_says_adopted_and_not_approved(house: House) -> None:
    done = adopted(house)
    run = house.run(done["run_id"])
    assert (run["kind"], run["status"], run["model_status"]) == ("after_review", "waiting", "adopted")
    assert run["note"] == f"after-review of {MODEL} v1 in production, adopted: {WHY}"
    (line,) = made(house.as_("dave").get(f"/models/{MODEL}"))["versions"]
    assert (line["model_status"], line["live_in"]) == ("adopted", ["production"])
    shown = live(house)
    assert shown["warning"] == (
        f"fraud-detector v1 was adopted by erin ({WHY}): it ran before signoff came, and nobody has approved it. "
        f"It is to be reviewed by 2026-12-02: `signoff show {done['run_id']}`."
    )
    assert (shown["adoption"]["status"], shown["adoption"]["is_approved"]) == ("owed", False)
    tags = house.registry.resolve(f"models:/{MODEL}/1", None).tags
    assert tags["signoff.status"] == "adopted"


def test_an_adopted_version_is_no_drift_and_ends_what_was_found(house: House) -> None:
    house.clock.wait(minutes=2)
    drift.watch(house.machinery)
    assert len(made(house.as_("dave").get("/drifts"))["items"]) == 1
    adopted(house)
    assert made(house.as_("dave").get("/drifts"))["items"] == []
    house.clock.wait(minutes=2)
    with house.unchanged():
        drift.watch(house.machinery)


def test_a_moved_alias_is_drift_from_what_was_adopted_and_nothing_unapproved_is_put_back(house: House) -> None:
    house.environments(replace(PRODUCTION, self_heal=True), STAGING)
    adopted(house)
    house.version()
    house.registry.set_alias(MODEL, "champion", "2")
    house.clock.wait(minutes=2)
    drift.watch(house.machinery)
    house.work()
    (found,) = made(house.as_("dave").get("/drifts"))["items"]
    assert found["sentence"].endswith("and what was adopted is v1.")
    assert found["note"] == "nothing is put back: v1 was adopted, and nobody has approved it"
    assert house.registry.list_aliases()[MODEL]["champion"] == "2"


# The review


def test_the_review_approves_it_and_then_it_is_deployed_like_anything_else(house: House) -> None:
    done = adopted(house)
    gate = house.gate(done["run_id"], "after_review")
    assert {rule["name"]: rule["candidates"] for rule in gate["rules"]} == {"after_review": ["bob", "carol"]}
    house.decide("bob", done["run_id"], "approve", "after_review")
    assert house.run(done["run_id"])["model_status"] == "deployed"
    shown = live(house)
    assert (shown["warning"], shown["adoption"]["is_approved"], shown["kind"]) == ("", True, "adopted")
    assert "adoption.settled" in house.types()


def test_the_environments_own_rules_review_it(house: House) -> None:
    house.environments(GUARDED, STAGING)
    done = adopted(house)
    house.decide("bob", done["run_id"], "approve", "after_review")
    assert house.status(done["run_id"]) == "waiting"
    house.decide("carol", done["run_id"], "approve", "after_review")
    assert live(house)["warning"] == ""


def test_without_rules_those_of_the_rule_for_emergencies_review_it(house: House) -> None:
    house.environments(replace(PRODUCTION, break_glass=BreakGlass(("carol",), 1)), STAGING)
    done = adopted(house)
    gate = house.gate(done["run_id"], "after_review")
    assert [rule["candidates"] for rule in gate["rules"]] == [["carol"]]


def test_who_adopts_it_does_not_review_it(house: House) -> None:
    erin = Person("erin", frozenset({Role.ADMIN, Role.APPROVER}))
    house.people(*(one for one in CAST if one.name != "erin"), erin)
    done = adopted(house)
    with house.unchanged():
        answer = house.says("erin", done["run_id"], "approve", "after_review")
    assert "erin cannot decide" in refused(answer, 403, "cannot_decide")


def test_a_review_that_does_not_come_in_time_is_told_once_and_may_still_come(house: House) -> None:
    done = adopted(house)
    later(house, days=29.9)
    assert "adoption.escalated" not in house.types()
    later(house, days=0.2)
    assert house.types().count("adoption.escalated") == 1
    assert "its review did not approve it in time: `signoff submit" in live(house)["warning"]
    with house.unchanged():
        later(house, minutes=1)
    house.decide("bob", done["run_id"], "approve", "after_review")
    assert live(house)["warning"] == ""


def test_a_no_is_told_at_once_and_production_goes_on(house: House) -> None:
    done = adopted(house)
    house.decide("bob", done["run_id"], "reject", "after_review")
    assert house.run(done["run_id"])["model_status"] == "rejected"
    assert live(house)["warning"].startswith(
        f"fraud-detector v1 was adopted by erin ({WHY}): it ran before signoff came, and its review ended rejected: "
    )
    assert house.registry.list_aliases()[MODEL]["champion"] == "1"


def test_the_minute_tick_looks(house: House) -> None:
    adopted(house)
    house.clock.wait(days=31)
    house.tick()
    assert "adoption.escalated" in house.types()


def test_once_something_approved_serves_there_it_asks_until_its_time_is_over_and_no_longer(house: House) -> None:
    done = adopted(house)
    house.decide("bob", house.submit(), "approve")
    later(house, days=1)
    assert house.status(done["run_id"]) == "waiting"
    later(house, days=30)
    assert house.status(done["run_id"]) == "cancelled"
    assert house.types().count("adoption.escalated") == 0


def test_what_ran_before_may_be_gone_back_to(house: House) -> None:
    adopted(house)
    house.decide("bob", house.submit(), "approve")
    made(house.as_("bob").post(f"{PATH}/rollback", {"why": "v2 declines everybody"}))
    house.work()
    shown = live(house)
    assert (shown["version"], shown["kind"]) == ("1", "rollback")
    assert "nobody has approved it" in shown["warning"], "it is what it was"


def test_what_its_review_refused_is_not_gone_back_to(house: House) -> None:
    done = adopted(house)
    house.decide("bob", done["run_id"], "reject", "after_review")
    house.decide("bob", house.submit(), "approve")
    answer = house.as_("bob").post(f"{PATH}/rollback", {"why": "x"})
    assert refused(answer, 409, "no_former_version")


# What is refused, and changes nothing


def scene_nowhere(house: House) -> Response:
    return ask(house, path=f"/environments/staging/models/{MODEL}")


def scene_no_such_model(house: House) -> Response:
    return ask(house, path="/environments/production/models/churn")


def scene_no_such_environment(house: House) -> Response:
    return ask(house, path=f"/environments/qa/models/{MODEL}")


def scene_twice(house: House) -> Response:
    adopted(house)
    return ask(house)


def scene_deployed(house: House) -> Response:
    house.decide("bob", house.submit(), "approve")
    return ask(house)


def scene_under_way(house: House) -> Response:
    version = house.registry.resolve(house.version(), None)
    wanted = Deployment(
        id="d1",
        environment="production",
        model=MODEL,
        version=version.version,
        digest=version.digest,
        status=DeploymentStatus.DEPLOYING,
        kind=DeploymentKind.RUN,
        run_id=house.submit(),
        by="system",
        started_at=house.clock(),
    )
    with house.database.begin() as tx:
        assert deployments.begin_deployment(tx, wanted, version, "k", audit=[]) is not None
    return ask(house)


def scene_no_reason(house: House) -> Response:
    return ask(house, why=" ")


def scene_no_admin(house: House) -> Response:
    return ask(house, "bob")


def scene_token(house: House) -> Response:
    return ask(house, credential=Credential.TOKEN)


def scene_revoked(house: House) -> Response:
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("production", "staging"), f"models:/{MODEL}/1")
    house.decide("bob", run_id, "approve")
    made(house.as_("carol").post(f"/models/{MODEL}/versions/1/revoke", {"why": "it leaks"}))
    return ask(house)


def scene_nobody_could_review(house: House) -> Response:
    house.people(*(one for one in CAST if one.name != "carol"))
    house.environments(GUARDED, STAGING)
    return ask(house)


def scene_no_approver_at_all(house: House) -> Response:
    house.people(*(one for one in CAST if Role.APPROVER not in one.roles))
    return ask(house)


@pytest.mark.parametrize(
    ("scene", "status", "code", "words"),
    [
        (
            scene_nowhere,
            409,
            "nothing_to_adopt",
            "staging has no fraud-detector: its alias staging points nowhere. Put the alias on what runs there, or",
        ),
        (scene_no_such_model, 409, "nothing_to_adopt", "production has no churn: its alias champion points nowhere."),
        (scene_no_such_environment, 422, "unknown_environment", "There is no environment called qa."),
        (
            scene_twice,
            409,
            "already_deployed",
            "production has fraud-detector v1 by signoff already (run",
        ),
        (scene_deployed, 409, "already_deployed", "production has fraud-detector v2 by signoff already"),
        (scene_under_way, 409, "deployment_under_way", "Another deployment of fraud-detector to production"),
        (scene_no_reason, 422, "reason_required", "Adopting needs a reason. Say why with -m WHY."),
        (scene_no_admin, 403, "not_allowed", "bob may not adopt. It takes the role admin"),
        (scene_token, 403, "not_allowed", "An API token cannot adopt."),
        (scene_revoked, 409, "version_revoked", "fraud-detector v1 was revoked by carol: it leaks."),
        (
            scene_nobody_could_review,
            409,
            "adoption_unreviewable",
            "Nobody could review fraud-detector v1 afterwards: after_review could never be approved",
        ),
        (
            scene_no_approver_at_all,
            409,
            "adoption_unreviewable",
            "Nobody could review fraud-detector v1 afterwards: nobody else may approve it. Whoever adopts",
        ),
    ],
)
def test_what_is_refused_says_why(house: House, scene: Scene, status: int, code: str, words: str) -> None:
    answer = scene(house)
    assert words in refused(answer, status, code)
    assert house.types().count("deployment.adopted") == (1 if scene is scene_twice else 0)


# Putting back by hand


def moved_away(house: House) -> None:
    adopted(house)
    house.version()
    house.registry.set_alias(MODEL, "champion", "2")
    house.clock.wait(minutes=2)
    drift.watch(house.machinery)


def test_whoever_may_roll_back_puts_back_what_is_live_by_the_rows(house: House) -> None:
    moved_away(house)
    begun = made(house.as_("bob").post(f"{PATH}/rollback", {"why": "somebody moved it", "to": "1"}))
    house.work()
    done = made(house.as_("dave").get(f"/deployments/{begun['id']}"))
    assert (done["kind"], done["status"], done["by"]) == ("restore", "restored", "bob")
    assert house.registry.list_aliases()[MODEL]["champion"] == "1"
    assert made(house.as_("dave").get("/drifts"))["items"] == []
    assert live(house)["kind"] == "adopted"
    (event,) = [e for e in house.events() if e.type == "deployment.restored"]
    assert (event.actor, event.detail["why"]) == ("bob", "somebody moved it")


def test_where_nothing_else_was_found_there_is_nothing_to_put_back(house: House) -> None:
    adopted(house)
    with house.unchanged():
        answer = house.as_("bob").post(f"{PATH}/rollback", {"why": "x", "to": "1"})
    assert refused(answer, 409, "already_live")
