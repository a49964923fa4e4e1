"""Breaking the glass: two people, exactly these bytes, at once and loudly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from factories import BOB, CAST, MODEL
from glass import GLASS, GUARDED, LEADS, PATH, WHY, ask, broken, get, guard, later, live, newest
from house import PRODUCTION, STAGING, House, made, refused
from signoff.domain.actor import Person, Role
from signoff.domain.environment import DeployerSpec, Environment, Freeze
from signoff.domain.errors import UnhealthyError
from signoff.engine.deploying_by_hand import deploy_by_hand
from signoff.engine.tick import wake_stuck


@pytest.fixture(autouse=True)
def leads(house: House) -> None:
    guard(house)


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
