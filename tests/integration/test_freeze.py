"""Freeze windows: what is approved waits until the environment takes deployments again, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from factories import MODEL, NOON
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made
from signoff.domain.environment import Environment, Freeze
from signoff.engine.freezes import wake_due
from signoff.engine.tick import wake_stuck

YEAR_END = Freeze(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC), "year end")
WORDS = "production is frozen until the end of 2026-11-04 UTC, year end"
FROZEN = replace(PRODUCTION, freeze=(YEAR_END,))


def freeze(house: House, environment: Environment = FROZEN) -> None:
    house.environments(environment, STAGING)


def approved(house: House, pipeline: str = APPROVE_AND_DEPLOY) -> str:
    run_id = house.submit(pipeline)
    house.decide("bob", run_id, "approve")
    return run_id


def live(house: House) -> list[str]:
    found = made(house.as_("dave").get("/deployments"))["items"]
    return [f"{d['environment']} v{d['version']}" for d in found if d["status"] == "live"]


def wait_until(house: House, moment: datetime) -> None:
    house.clock.now = moment


def test_an_approved_run_waits_for_the_end_of_the_freeze_and_says_so(house: House) -> None:
    freeze(house)
    run_id = approved(house)
    body = house.run(run_id)
    assert (body["status"], body["model_status"], body["waits_for"]) == ("running", "approved", f"{WORDS}.")
    assert house.step(run_id, "deploy")["note"] == WORDS
    assert live(house) == []
    listed = made(house.as_("dave").get("/runs"))["items"]
    assert [line["waits_for"] for line in listed] == [f"{WORDS}."]
    [queued] = [e for e in house.events(run_id) if e.type == "step.queued"]
    assert (queued.detail["note"], queued.detail["until"]) == (WORDS, "2026-11-05T00:00:00+00:00")


def test_the_tick_wakes_it_when_the_window_ends_and_not_before(house: House) -> None:
    freeze(house)
    run_id = approved(house)
    wait_until(house, YEAR_END.until - timedelta(seconds=1))
    assert wake_due(house.machinery) == []
    wait_until(house, YEAR_END.until)
    assert wake_due(house.machinery) == [run_id]
    house.work()
    assert (house.status(run_id), live(house)) == ("succeeded", ["production v1"])
    assert wake_due(house.machinery) == []
    assert house.types(run_id).count("gate.opened") == 1


def test_who_waits_for_a_freeze_is_not_taken_for_one_whose_wake_up_was_lost(house: House) -> None:
    freeze(house)
    run_id = approved(house)
    house.clock.wait(hours=1)
    assert wake_stuck(house.machinery) == 0
    wait_until(house, YEAR_END.until)
    wake_due(house.machinery)
    house.take_jobs()  # and lost
    house.clock.wait(minutes=3)
    assert wake_stuck(house.machinery) == 1
    house.work()
    assert house.status(run_id) == "succeeded"


def test_a_wake_up_that_comes_too_early_changes_nothing(house: House) -> None:
    freeze(house)
    run_id = approved(house)
    events = house.types(run_id)
    house.advance(run_id)
    house.advance(run_id)
    assert house.types(run_id) == events
    assert live(house) == []


def test_a_freeze_that_is_lifted_lets_what_waits_go_on_at_once(house: House) -> None:
    freeze(house)
    run_id = approved(house)
    freeze(house, PRODUCTION)
    house.work()
    assert (house.status(run_id), live(house)) == ("succeeded", ["production v1"])


def test_a_freeze_that_is_prolonged_is_waited_out_to_its_new_end(house: House) -> None:
    freeze(house)
    run_id = approved(house)
    longer = replace(YEAR_END, until=YEAR_END.until + timedelta(days=2))
    freeze(house, replace(PRODUCTION, freeze=(longer,)))
    house.work()
    assert house.run(run_id)["waits_for"] == WORDS.replace("04", "06") + "."
    wait_until(house, YEAR_END.until)
    assert wake_due(house.machinery) == []
    wait_until(house, longer.until)
    assert wake_due(house.machinery) == [run_id]


def test_windows_that_follow_each_other_are_waited_out_one_after_the_other(house: House) -> None:
    following = Freeze(YEAR_END.until, YEAR_END.until + timedelta(hours=6), "stocktaking")
    freeze(house, replace(PRODUCTION, freeze=(YEAR_END, following)))
    run_id = approved(house)
    wait_until(house, YEAR_END.until)
    wake_due(house.machinery)
    house.work()
    assert house.run(run_id)["waits_for"] == "production is frozen until 2026-11-05 06:00 UTC, stocktaking."
    wait_until(house, following.until)
    wake_due(house.machinery)
    house.work()
    assert house.status(run_id) == "succeeded"


def test_an_approval_that_grew_too_old_meanwhile_is_asked_for_again(house: House) -> None:
    freeze(house, replace(FROZEN, max_age=timedelta(days=1)))
    run_id = approved(house)
    wait_until(house, YEAR_END.until)
    wake_due(house.machinery)
    house.work()
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"]) == ("waiting", 2)
    assert gate["note"] == "Opened again: its approval is older than the 1d that production allows"
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_another_environment_is_not_frozen(house: House) -> None:
    freeze(house)
    run_id = approved(house, APPROVE_AND_DEPLOY.replace("production", "staging"))
    assert (house.status(run_id), live(house)) == ("succeeded", ["staging v1"])


def test_a_rollback_goes_through_a_freeze(house: House) -> None:
    for _ in range(2):
        approved(house)
    freeze(house)
    body = {"why": "v2 says yes to everything"}
    made(house.as_("bob").post(f"/environments/production/models/{MODEL}/rollback", body))
    house.work()
    assert live(house) == ["production v1"]


def test_a_run_that_waits_for_a_freeze_can_be_cancelled(house: House) -> None:
    freeze(house)
    run_id = approved(house)
    made(house.as_("alice").post(f"/runs/{run_id}/cancel"))
    wait_until(house, YEAR_END.until)
    wake_due(house.machinery)
    house.work()
    assert (house.status(run_id), live(house)) == ("cancelled", [])


def test_an_environment_says_until_when_it_is_frozen(house: House) -> None:
    freeze(house)
    found = made(house.as_("dave").get("/environments/production"))
    assert found["frozen"] == WORDS
    assert found["freeze"] == [{"from": "2026-11-01T00:00:00Z", "until": "2026-11-05T00:00:00Z", "reason": "year end"}]
    wait_until(house, YEAR_END.until)
    assert made(house.as_("dave").get("/environments/production"))["frozen"] is None


@pytest.mark.parametrize("late", [True, False])
def test_two_that_waited_go_on_in_their_turn_and_never_a_step_back(house: House, late: bool) -> None:
    freeze(house)
    first, second = house.submit(), house.submit()
    for run_id in (second, first) if late else (first, second):
        house.decide("bob", run_id, "approve")
    wait_until(house, YEAR_END.until)
    assert sorted(wake_due(house.machinery)) == sorted([first, second])
    house.work()
    assert house.status(second) == "succeeded"
    assert house.status(first) in {"succeeded", "superseded"}
    assert live(house) == ["production v2"]


def test_the_window_of_the_tests_is_now() -> None:
    assert YEAR_END.since < NOON < YEAR_END.until
