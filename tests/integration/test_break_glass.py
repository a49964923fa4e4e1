"""Breaking the glass: two people, exactly these bytes, at once and loudly; and a review that is owed from then on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from factories import BOB, CAST, MODEL, approvers
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.domain.actor import Credential, Person, Role
from signoff.domain.environment import BreakGlass, DeployerSpec, Environment, Freeze
from signoff.domain.errors import UnhealthyError
from signoff.domain.pipeline import RuleSpec
from signoff.engine import emergencies
from signoff.engine.deploying_by_hand import deploy_by_hand
from signoff.engine.tick import wake_stuck

PATH = f"/environments/production/models/{MODEL}/break-glass"
ROLLBACK = f"/environments/production/models/{MODEL}/rollback"
WHY = "v1 declines everybody"
GLASS = BreakGlass(("group:leads",))
GUARDED = replace(PRODUCTION, break_glass=GLASS)
RETURNING = replace(PRODUCTION, break_glass=replace(GLASS, on_expiry="return_to_former"))
Scene = Callable[[House], Response]
LEADS = approvers(["frank", "grace", "heidi"], "leads")


@pytest.fixture(autouse=True)
def leads(house: House) -> None:
    """v1 is live in production; frank, grace and heidi lead and may break its glass."""
    house.people(*CAST, *LEADS)
    house.environments(GUARDED, STAGING)
    run_id = house.submit()
    house.decide("bob", run_id, "approve")


def ask(house: House, who: str, reference: str | None = None, why: str = WHY) -> Response:
    return house.as_(who).post(PATH, {"reference": reference or f"models:/{MODEL}/2", "why": why})


def broken(house: House, first: str = "frank", second: str = "grace") -> dict[str, Any]:
    """v2 is deployed without review; the emergency."""
    house.version()
    made(ask(house, first))
    done = made(ask(house, second, why=""))
    house.work()
    return get(house, done["id"])


def get(house: House, emergency_id: str) -> dict[str, Any]:
    return made(house.as_("dave").get(f"/emergencies/{emergency_id}"))


def live(house: House) -> str:
    found = house.registry.alias(MODEL, "champion")
    assert found is not None
    return found.version


def later(house: House, **by: float) -> None:
    """So much later the tick looks at the debts, and the workers do what follows."""
    house.clock.wait(**by)
    emergencies.attend(house.machinery, house.clock())
    house.work()


def newest(house: House) -> dict[str, Any]:
    found: dict[str, Any] = made(house.as_("dave").get("/deployments"))["items"][0]
    return found


# Two people, and what they see


def test_the_first_persons_word_shows_the_digest_and_who_else_is_needed(house: House) -> None:
    reference = house.version()
    asked = made(ask(house, "frank"))
    assert (asked["status"], asked["requested_by"], asked["confirmed_by"]) == ("requested", "frank", ["frank"])
    assert asked["digest"] == house.registry.resolve(reference, None).digest
    assert asked["sentence"] == "It takes the word of 1 more person, from grace or heidi."
    house.work()
    assert live(house) == "1"
    assert [one["id"] for one in made(house.as_("dave").get("/emergencies"))["items"]] == [asked["id"]]


def test_the_second_persons_same_words_deploy_it_and_everybody_hears_of_it(house: House) -> None:
    found = broken(house)
    assert (found["status"], found["confirmed_by"], live(house)) == ("deployed", ["frank", "grace"], "2")
    shown = newest(house)
    assert (shown["kind"], shown["by"], shown["note"], shown["status"]) == ("break_glass", "frank, grace", WHY, "live")
    assert (shown["emergency"]["id"], shown["run_id"]) == (found["id"], found["run_id"])
    assert (
        "fraud-detector v2 was deployed without review by frank and grace (v1 declines everybody)" in shown["warning"]
    )
    told = [e for e in house.events() if e.type.startswith("glass.")]
    assert [(e.type.value, e.actor) for e in told] == [
        ("glass.requested", "frank"),
        ("glass.confirmed", "grace"),
        ("glass.broken", "system"),
    ]
    for event in told[1:]:
        assert (event.detail["requested_by"], event.detail["confirmed_by"]) == ("frank", ["frank", "grace"])
        assert (event.detail["why"], event.detail["environment"]) == (WHY, "production")


def test_it_can_be_confirmed_by_its_id_and_the_digest_that_was_seen(house: House) -> None:
    house.version()
    asked = made(ask(house, "frank"))
    made(house.as_("heidi").post(PATH, {"confirm": asked["id"], "digest": asked["digest"]}))
    house.work()
    assert (get(house, asked["id"])["confirmed_by"], live(house)) == (["frank", "heidi"], "2")


def test_who_asks_without_being_named_by_the_rule_does_not_count(house: House) -> None:
    house.version()
    asked = made(ask(house, "bob"))
    assert asked["confirmed_by"] == []
    assert asked["sentence"] == "It takes the word of 2 more people, from frank, grace or heidi."
    made(ask(house, "frank"))
    house.work()
    assert live(house) == "1"
    made(ask(house, "heidi"))
    house.work()
    assert live(house) == "2"


def test_who_left_the_group_meanwhile_counts_no_longer(house: House) -> None:
    house.version()
    made(ask(house, "frank"))
    house.people(*CAST, *LEADS[1:], Person("frank", frozenset({Role.APPROVER})))
    asked = made(ask(house, "grace"))
    assert (asked["status"], asked["missing"], asked["candidates"]) == ("requested", 1, ["heidi"])
    made(ask(house, "heidi"))
    house.work()
    assert live(house) == "2"


def test_who_left_the_group_before_a_worker_came_to_it_counts_no_longer_either(house: House) -> None:
    house.version()
    for who in ("frank", "grace"):
        asked = made(ask(house, who))
    house.people(*CAST, *LEADS[1:], Person("frank", frozenset({Role.APPROVER})))
    house.work()
    failed = get(house, asked["id"])
    assert (failed["status"], live(house)) == ("failed", "1")
    assert failed["note"] == (
        "Somebody who confirmed fraud-detector v2 in production may not break the glass there any more. "
        "Ask anew. It takes the word of 1 more person, from heidi."
    )
    for who in ("grace", "heidi"):
        made(ask(house, who))
    house.work()
    assert live(house) == "2"


def test_a_rule_that_is_taken_away_before_a_worker_came_to_it_breaks_no_glass(house: House) -> None:
    house.version()
    for who in ("frank", "grace"):
        asked = made(ask(house, who))
    house.environments(PRODUCTION, STAGING)
    house.work()
    assert (get(house, asked["id"])["status"], live(house)) == ("failed", "1")


def test_a_request_that_nobody_confirms_in_time_is_no_emergency_any_more(house: House) -> None:
    house.version()
    asked = made(ask(house, "frank"))
    later(house, hours=23)
    assert get(house, asked["id"])["status"] == "requested"
    later(house, hours=1.1)
    assert (get(house, asked["id"])["status"], get(house, asked["id"])["note"]) == (
        "cancelled",
        "not confirmed within 1 day, 0:00:00",
    )
    with house.unchanged():
        answer = house.as_("grace").post(PATH, {"confirm": asked["id"], "digest": asked["digest"]})
    assert "it waits for nobody's word" in refused(answer, 409, "emergency_closed")


@pytest.mark.parametrize("who", ["frank", "heidi"])
def test_who_asked_or_could_confirm_may_cancel(house: House, who: str) -> None:
    house.version()
    asked = made(ask(house, "frank"))
    assert made(house.as_(who).delete(PATH))["status"] == "cancelled"
    assert get(house, asked["id"])["note"] == f"cancelled by {who}"
    assert house.types()[-1] == "glass.cancelled"
    with house.unchanged():
        answer = house.as_(who).delete(PATH)
    assert "waits for confirmations" in refused(answer, 404, "no_emergency")


# What is refused, and changes nothing


def scene_no_rule(house: House) -> Response:
    return house.as_("grace").post(
        PATH.replace("production", "staging"), {"reference": f"models:/{MODEL}/2", "why": "x"}
    )


def scene_no_reason(house: House) -> Response:
    return ask(house, "grace", why=" ")


def scene_one_lead(house: House) -> Response:
    house.people(*CAST, LEADS[0])
    return ask(house, "frank")


def scene_live_already(house: House) -> Response:
    return ask(house, "grace", f"models:/{MODEL}/1")


def scene_another_waits(house: House) -> Response:
    made(ask(house, "frank"))
    house.version()
    return ask(house, "grace", f"models:/{MODEL}/3")


def scene_same_person(house: House) -> Response:
    made(ask(house, "grace"))
    return ask(house, "grace")


def scene_not_named(house: House) -> Response:
    made(ask(house, "frank"))
    return ask(house, "bob")


def scene_other_digest(house: House) -> Response:
    asked = made(ask(house, "frank"))
    return house.as_("grace").post(PATH, {"confirm": asked["id"], "digest": "sha256:" + "0" * 64})


def scene_bytes_changed(house: House) -> Response:
    asked = made(ask(house, "frank"))
    house.tamper("2")
    return house.as_("grace").post(PATH, {"confirm": asked["id"], "digest": asked["digest"]})


def scene_bytes_changed_same_words(house: House) -> Response:
    made(ask(house, "frank"))
    house.tamper("2")
    return ask(house, "grace")


def scene_revoked(house: House) -> Response:
    run_id = house.submit(APPROVE_AND_DEPLOY, f"models:/{MODEL}/2")
    made(house.says("bob", run_id, "approve"))
    made(house.as_("carol").post(f"/models/{MODEL}/versions/2/revoke", {"why": "it leaks"}))
    return ask(house, "grace")


def scene_no_such_version(house: House) -> Response:
    return ask(house, "grace", f"models:/{MODEL}/9")


def scene_another_model(house: House) -> Response:
    return ask(house, "grace", house.version(model="churn"))


def scene_not_registered(house: House) -> Response:
    return ask(house, "grace", "runs:/abc/model")


def scene_no_digest(house: House) -> Response:
    asked = made(ask(house, "frank"))
    return house.as_("grace").post(PATH, {"confirm": asked["id"]})


def scene_no_such_emergency(house: House) -> Response:
    return house.as_("grace").post(PATH, {"confirm": "abc", "digest": "sha256:" + "0" * 64})


def scene_not_yours_to_cancel(house: House) -> Response:
    made(ask(house, "frank"))
    return house.as_("bob").delete(PATH)


def scene_token(house: House) -> Response:
    return house.as_("grace", Credential.TOKEN).post(PATH, {"reference": f"models:/{MODEL}/2", "why": "x"})


def scene_no_approver(house: House) -> Response:
    return ask(house, "alice")


def scene_deploying(house: House) -> Response:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    made(house.as_("bob").post(ROLLBACK, {"why": "x"}))
    made(ask(house, "frank", f"models:/{MODEL}/2"))
    return ask(house, "grace", f"models:/{MODEL}/2")


@pytest.mark.parametrize(
    ("scene", "status", "code", "words"),
    [
        (
            scene_no_rule,
            409,
            "no_break_glass",
            "staging has no break_glass rule: nothing is deployed there without review.",
        ),
        (scene_no_reason, 422, "reason_required", "Breaking the glass needs a reason. Say why with -m WHY."),
        (scene_one_lead, 409, "break_glass_unsatisfiable", "takes 2 people of group:leads, and 1 may approve"),
        (scene_live_already, 409, "already_live", "fraud-detector v1 is what production serves now."),
        (scene_another_waits, 409, "emergency_pending", "frank asked for fraud-detector v2 in production already"),
        (scene_same_person, 409, "already_confirmed", "grace has confirmed fraud-detector v2 in production already."),
        (scene_not_named, 403, "cannot_confirm", "its rule names group:leads. frank, grace or heidi can."),
        (scene_other_digest, 409, "subject_changed", "is not what frank asked for"),
        (
            scene_bytes_changed,
            409,
            "digest_mismatch",
            "The bytes of fraud-detector v2 changed since frank asked for them",
        ),
        (scene_bytes_changed_same_words, 409, "emergency_pending", "and its bytes changed since"),
        (scene_revoked, 409, "version_revoked", "was revoked by carol: it leaks. An emergency does not undo that."),
        (scene_no_such_version, 404, "model_not_found", "9"),
        (scene_another_model, 422, "wrong_model", "churn v1 is not a version of fraud-detector."),
        (scene_not_registered, 422, "invalid", "'runs:/abc/model' is not a registered version."),
        (scene_no_digest, 422, "invalid", "A confirmation names the digest that was seen."),
        (scene_no_such_emergency, 404, "no_emergency", "No emergency is called abc."),
        (scene_not_yours_to_cancel, 403, "cannot_confirm", "bob cannot cancel what frank asked for."),
        (scene_token, 403, "not_allowed", "An API token cannot break glass."),
        (scene_no_approver, 403, "not_allowed", "alice may not break glass."),
        (
            scene_deploying,
            409,
            "deployment_under_way",
            "Another deployment of fraud-detector to production is under way.",
        ),
    ],
)
def test_what_is_refused_says_why(house: House, scene: Scene, status: int, code: str, words: str) -> None:
    house.version()
    answer = scene(house)
    assert words in refused(answer, status, code)
    house.work()
    assert "glass.broken" not in house.types()


def test_a_refused_confirmation_changes_nothing(house: House) -> None:
    house.version()
    made(ask(house, "frank"))
    for who in ("frank", "bob", "dave"):
        with house.unchanged():
            assert ask(house, who).is_error


# The deployment


def test_a_freeze_does_not_hold_an_emergency_up(house: House) -> None:
    now = house.clock()
    freeze = Freeze(now - timedelta(days=1), now + timedelta(days=1), "year end")
    house.environments(replace(GUARDED, freeze=(freeze,)), STAGING)
    broken(house)
    assert live(house) == "2"


def test_bytes_that_change_before_the_deployment_are_not_deployed(house: House) -> None:
    house.version()
    made(ask(house, "frank"))
    done = made(ask(house, "grace"))
    house.tamper("2")
    house.work()
    found = get(house, done["id"])
    assert (found["status"], live(house)) == ("failed", "1")
    assert "The bytes of fraud-detector v2 changed since this was asked for" in found["note"]
    assert newest(house)["status"] == "failed"
    assert house.status(found["run_id"]) == "cancelled"
    assert "glass.failed" in house.types()


def test_an_emergency_version_that_does_not_get_healthy_leaves_the_former_one_and_owes_nothing(house: House) -> None:
    locally = Environment("local", DeployerSpec(type="server"), accept_claimed=True, break_glass=GLASS)
    house.environments(GUARDED, STAGING, locally)
    house.version()
    path = PATH.replace("production", "local")
    house.deployer.failing = UnhealthyError("v2 did not get healthy.")
    for who in ("frank", "grace"):
        done = made(house.as_(who).post(path, {"reference": f"models:/{MODEL}/2", "why": WHY}))
    house.work()
    assert (get(house, done["id"])["status"], newest(house)["status"]) == ("failed", "unhealthy")
    assert house.status(get(house, done["id"])["run_id"]) == "cancelled"


def test_a_lost_wake_up_is_found_and_repeating_the_job_is_harmless(house: House) -> None:
    house.version()
    made(ask(house, "frank"))
    done = made(ask(house, "grace"))
    house.take_jobs()
    house.clock.wait(minutes=3)
    assert wake_stuck(house.machinery) >= 1
    house.work()
    assert get(house, done["id"])["status"] == "deployed"
    with house.unchanged():
        deploy_by_hand(house.machinery, get(house, done["id"])["deployment_id"])


def test_an_older_run_that_is_approved_afterwards_does_not_undo_the_emergency(house: House) -> None:
    older = house.submit()
    house.version()
    for who in ("frank", "grace"):
        made(ask(house, who, f"models:/{MODEL}/3"))
    house.work()
    house.decide("bob", older, "approve")
    assert (house.status(older), live(house)) == ("superseded", "3")


# The review that is owed


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


def test_the_cast_alone_has_no_lead(house: House) -> None:
    house.people(*CAST)
    assert BOB.groups == {"risk"}
    assert "and 0 may approve fraud-detector" in refused(ask(house, "bob"), 409, "break_glass_unsatisfiable")


def test_two_who_confirm_at_the_same_moment_break_it_once(house: House) -> None:
    house.version()
    asked = made(ask(house, "bob"))
    with ThreadPoolExecutor(3) as pool:
        said = {"confirm": asked["id"], "digest": asked["digest"]}
        answers = list(pool.map(lambda who: house.as_(who).post(PATH, said), ["frank", "grace", "heidi"]))
    assert sorted(answer.status_code for answer in answers) == [202, 202, 409]
    house.work()
    assert len(get(house, asked["id"])["confirmed_by"]) == len({*get(house, asked["id"])["confirmed_by"]}) == 2
    assert house.types().count("glass.broken") == 1
