"""The review that an emergency owes: who does it, by when, and what comes back when nobody does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from factories import CAST, MODEL
from glass import GLASS, GUARDED, LEADS, PATH, RETURNING, ROLLBACK, WHY, ask, broken, get, guard, later, live, newest
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.domain.actor import Person, Role
from signoff.domain.pipeline import RuleSpec
from signoff.engine.deploying_by_hand import deploy_by_hand


@pytest.fixture(autouse=True)
def leads(house: House) -> None:
    guard(house)


def test_the_after_review_goes_by_the_pipeline_that_last_deployed_there(house: House) -> None:
    found = broken(house)
    run = house.run(found["run_id"])
    steps = [(step["name"], step["status"]) for step in run["attempts"][-1]["steps"]]
    assert steps == [("approve", "waiting"), ("deploy", "skipped")]
    assert (run["version"], run["submitter"]) == ("2", "frank")
    assert (
        run["note"] == "after-review of fraud-detector v2 in production, deployed without review: v1 declines everybody"
    )
    house.decide("bob", found["run_id"], "approve")
    settled = get(house, found["id"])
    assert (settled["status"], settled["note"]) == ("settled", "the after-review approved it")
    assert newest(house)["warning"] == ""
    assert house.types()[-1] == "glass.settled"
    assert house.run(found["run_id"])["model_status"] == "deployed"
    assert live(house) == "2"


def test_where_no_pipeline_deploys_there_the_environments_own_rules_ask(house: House) -> None:
    house.environments(
        GUARDED,
        replace(STAGING, rules=(RuleSpec("risk", ("group:risk",), 2),), break_glass=GLASS),
    )
    path = PATH.replace("production", "staging")
    for who in ("frank", "grace"):
        done = made(house.as_(who).post(path, {"reference": f"models:/{MODEL}/1", "why": WHY}))
    house.work()
    review = get(house, done["id"])["run_id"]
    gate = house.gate(review, "after_review")
    assert {rule["name"]: rule["candidates"] for rule in gate["rules"]} == {"risk": ["bob", "carol"]}
    house.decide("bob", review, "approve", "after_review")
    assert house.status(review) == "waiting"
    house.decide("carol", review, "approve", "after_review")
    assert get(house, done["id"])["status"] == "settled"


def test_without_any_rules_those_who_may_break_the_glass_and_did_not_review(house: House) -> None:
    house.environments(GUARDED, replace(STAGING, break_glass=replace(GLASS, required_approvals=1)))
    path = PATH.replace("production", "staging")
    done = made(house.as_("frank").post(path, {"reference": f"models:/{MODEL}/1", "why": WHY}))
    house.work()
    review = get(house, done["id"])["run_id"]
    with house.unchanged():
        answer = house.says("frank", review, "approve", "after_review")
    assert "frank cannot decide" in refused(answer, 403, "cannot_decide")
    house.decide("heidi", review, "approve", "after_review")
    assert get(house, done["id"])["status"] == "settled"


def test_who_wanted_it_does_not_review_it_even_where_the_pipeline_allows_self_approval(house: House) -> None:
    pipeline = APPROVE_AND_DEPLOY.replace("['bob']", "['frank', 'grace', 'heidi'], allow_self_approval: true")
    other = house.submit(pipeline)
    house.decide("frank", other, "approve")
    house.version()
    for who in ("frank", "grace"):
        made(ask(house, who, f"models:/{MODEL}/3"))
    house.work()
    (found,) = made(house.as_("dave").get("/emergencies"))["items"]
    for who in ("frank", "grace"):
        with house.unchanged():
            answer = house.says(who, found["run_id"], "approve")
        assert f"{who} cannot decide" in refused(answer, 403, "cannot_decide")
    house.decide("heidi", found["run_id"], "approve")
    assert get(house, found["id"])["status"] == "settled"


def test_who_submitted_the_version_before_does_not_review_it_either(house: House) -> None:
    house.people(*CAST, *LEADS, Person("alice", frozenset({Role.SUBMITTER, Role.APPROVER})))
    other = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "['alice', 'carol']"), by="alice")
    for who in ("frank", "grace"):
        made(ask(house, who))
    house.work()
    (found,) = made(house.as_("dave").get("/emergencies"))["items"]
    with house.unchanged():
        assert "alice cannot decide" in refused(house.says("alice", found["run_id"], "approve"), 403, "cannot_decide")
    assert house.status(other) == "waiting"


def test_the_policy_does_not_settle_a_debt(house: House) -> None:
    other = house.submit(
        APPROVE_AND_DEPLOY.replace("['bob']", "['bob'], auto_approve_if: accuracy > 0.5"), house.version(accuracy=0.9)
    )
    assert house.status(other) == "succeeded"
    house.version(accuracy=0.9)
    for who in ("frank", "grace"):
        made(ask(house, who, f"models:/{MODEL}/3"))
    house.work()
    (found,) = made(house.as_("dave").get("/emergencies"))["items"]
    assert house.status(found["run_id"]) == "waiting"
    assert "it was deployed without review, and people are to look at it" in house.gate(found["run_id"])["note"]


def test_the_after_review_holds_it_against_the_version_that_it_replaced(house: House) -> None:
    tested = APPROVE_AND_DEPLOY.replace(
        "steps:\n", "steps:\n  - name: test\n    type: test\n    inputs: {checks: ['auc >= champion.auc']}\n"
    )
    house.decide("bob", house.submit(APPROVE_AND_DEPLOY, house.version(auc=0.9)), "approve")
    house.submit(tested, house.version(auc=0.95))
    house.version(auc=0.7)
    for who in ("frank", "grace"):
        made(ask(house, who, f"models:/{MODEL}/4"))
    house.work()
    (found,) = made(house.as_("dave").get("/deployments"))["items"][:1]
    run = house.run(found["run_id"])
    (check,) = run["attempts"][-1]["steps"][0]["evidence"]["checks"]
    assert (check["status"], run["status"]) == ("failed", "failed")
    # A check that says no is a no: it is not waited out.
    assert found["emergency"]["status"] == "escalated"


# Not reviewed in time, or refused


def test_what_is_not_reviewed_in_time_escalates_and_further_people_may_approve(house: House) -> None:
    found = broken(house)
    later(house, hours=23.9)
    assert get(house, found["id"])["status"] == "deployed"
    later(house, hours=0.2)
    escalated = get(house, found["id"])
    assert (escalated["status"], escalated["note"]) == ("escalated", "the after-review did not approve it in time")
    assert live(house) == "2"
    assert "did not approve it in time: `signoff show" in newest(house)["warning"]
    told = {e.type.value: e for e in house.events(found["run_id"])}
    assert told["glass.escalated"].detail["to"] == ["group:leads", "erin"]
    assert "gate.escalated" in told
    inbox = made(house.as_("heidi").get("/inbox"))["items"]
    assert [(item["run"]["id"], item["can_decide"]) for item in inbox] == [(found["run_id"], True)]
    with house.unchanged():
        later(house, minutes=1)
    house.decide("heidi", found["run_id"], "approve")
    assert get(house, found["id"])["status"] == "settled"


def test_the_minute_tick_looks_at_every_debt_and_every_request(house: House) -> None:
    found = broken(house)
    house.version()
    asked = made(ask(house, "frank", f"models:/{MODEL}/3"))
    house.clock.wait(hours=24)
    house.tick()
    assert (get(house, found["id"])["status"], get(house, asked["id"])["status"]) == ("escalated", "cancelled")


def test_a_no_is_not_waited_out(house: House) -> None:
    found = broken(house)
    house.decide("bob", found["run_id"], "reject")
    rejected = get(house, found["id"])
    assert (rejected["status"], rejected["note"]) == ("escalated", "the after-review was rejected")
    assert house.status(found["run_id"]) == "rejected"
    assert live(house) == "2"


def test_a_cancelled_review_is_a_no(house: House) -> None:
    found = broken(house)
    made(house.as_("erin").post(f"/runs/{found['run_id']}/cancel"))
    later(house, minutes=1)
    assert get(house, found["id"])["note"] == "the after-review was cancelled"


@pytest.mark.parametrize("how", ["in time", "rejected"])
def test_where_the_environment_says_so_the_former_version_comes_back(house: House, how: str) -> None:
    house.environments(RETURNING, STAGING)
    found = broken(house)
    if how == "rejected":
        house.decide("bob", found["run_id"], "reject")
    else:
        later(house, hours=24.1)
    back = get(house, found["id"])
    assert (back["status"], live(house)) == ("returned", "1")
    assert back["note"].endswith("; v1 serves there now")
    deployment = newest(house)
    assert (deployment["kind"], deployment["by"], deployment["version"]) == ("rollback", "system", "1")
    assert deployment["note"].startswith("returned to the former version: the after-review")
    assert house.types()[-1] == "run.cancelled" if how == "in time" else "glass.returned" in house.types()
    assert house.status(found["run_id"]) == ("cancelled" if how == "in time" else "rejected")


def test_a_former_version_that_was_revoked_does_not_come_back(house: House) -> None:
    house.environments(RETURNING, STAGING)
    found = broken(house)
    made(house.as_("carol").post(f"/models/{MODEL}/versions/1/revoke", {"why": "it leaks"}))
    later(house, hours=24.1)
    stays = get(house, found["id"])
    assert (stays["status"], live(house)) == ("escalated", "2")
    assert "there is no version to return to: fraud-detector v1 was revoked by carol: it leaks" in stays["note"]
    assert "it leaks: `signoff show" in newest(house)["warning"]


def test_after_two_emergencies_the_version_that_was_signed_off_comes_back(house: House) -> None:
    house.environments(RETURNING, STAGING)
    broken(house)
    house.version()
    for who in ("frank", "grace"):
        second = made(ask(house, who, f"models:/{MODEL}/3"))
    house.work()
    assert live(house) == "3"
    later(house, hours=24.1)
    assert live(house) == "1", "v2 was never signed off"
    assert get(house, second["id"])["status"] == "returned"


def test_where_nothing_was_live_before_it_escalates_and_says_so(house: House) -> None:
    house.environments(
        GUARDED,
        replace(STAGING, break_glass=replace(GLASS, on_expiry="return_to_former")),
    )
    path = PATH.replace("production", "staging")
    for who in ("frank", "grace"):
        done = made(house.as_(who).post(path, {"reference": f"models:/{MODEL}/1", "why": WHY}))
    house.work()
    later(house, hours=24.1)
    stays = get(house, done["id"])
    assert stays["status"] == "escalated"
    assert stays["note"].endswith("there is no version to return to: nothing was live there before")


def test_a_return_that_fails_escalates(house: House) -> None:
    house.environments(RETURNING, STAGING)
    found = broken(house)
    house.tamper("1")
    later(house, hours=24.1)
    stays = get(house, found["id"])
    assert (stays["status"], live(house)) == ("escalated", "2")
    assert "v1 could not be brought back: The bytes of fraud-detector v1 changed" in stays["note"]


def test_a_return_waits_for_the_place_and_is_tried_again(house: House) -> None:
    house.environments(RETURNING, STAGING)
    found = broken(house)
    made(house.as_("bob").post(ROLLBACK, {"why": "by hand"}))
    jobs = house.take_jobs()
    later(house, hours=24.1)
    assert get(house, found["id"])["status"] == "deployed"
    for _, arguments in jobs:
        if "deployment_id" in arguments:
            deploy_by_hand(house.machinery, arguments["deployment_id"])
    assert (get(house, found["id"])["status"], live(house)) == ("returned", "1")


def test_rolling_back_by_hand_ends_the_debt_and_its_review(house: House) -> None:
    found = broken(house)
    made(house.as_("bob").post(ROLLBACK, {"why": "v2 is worse"}))
    house.work()
    ended = get(house, found["id"])
    assert (ended["status"], ended["note"], live(house)) == ("returned", "v1 serves there now", "1")
    assert house.status(found["run_id"]) == "cancelled"


def test_a_version_that_nobody_signed_off_is_not_rolled_back_to(house: House) -> None:
    broken(house)
    house.decide("bob", house.submit(), "approve")
    assert live(house) == "3"
    with house.unchanged():
        answer = house.as_("bob").post(ROLLBACK, {"why": "x", "to": "2"})
    assert "in an emergency, and nobody has signed it off" in refused(answer, 409, "not_signed_off")
    assert made(house.as_("bob").post(ROLLBACK, {"why": "x"}))["version"] == "1"


def test_once_reviewed_it_can_be_rolled_back_to_like_any_other(house: House) -> None:
    found = broken(house)
    house.decide("bob", found["run_id"], "approve")
    house.decide("bob", house.submit(), "approve")
    assert made(house.as_("bob").post(ROLLBACK, {"why": "x"}))["version"] == "2"


def test_a_rule_that_is_taken_away_meanwhile_leaves_the_debt(house: House) -> None:
    found = broken(house)
    house.environments(PRODUCTION, STAGING)
    later(house, hours=24.1)
    assert get(house, found["id"])["status"] == "escalated"
