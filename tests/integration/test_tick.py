"""The minute tick and the hourly sweep: lost wake-ups found, loose files collected, nothing that is needed."""

from __future__ import annotations

from typing import Any

from house import APPROVE_AND_DEPLOY, House, made
from signoff.domain.account import Method
from signoff.domain.errors import NotFoundError
from signoff.engine.tick import collect_blobs, sweep, tick, wake_stuck
from signoff.service.credentials import fingerprint
from signoff.service.sessions import open_session
from signoff.store import sessions


def start(house: House) -> str:
    body = {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}
    return str(made(house.as_("alice").post("/runs", body))["id"])


def is_kept(house: House, digest: str) -> bool:
    try:
        house.blobs.open(digest).close()
    except NotFoundError:
        return False
    return True


def test_a_run_whose_wake_up_was_lost_is_woken(house: House) -> None:
    run_id = start(house)
    house.take_jobs()
    assert wake_stuck(house.machinery) == 0
    house.clock.wait(minutes=3)
    assert wake_stuck(house.machinery) == 1
    assert [arguments for _, arguments in house.take_jobs()] == [{"run_id": run_id}]


def test_a_run_that_still_has_a_wake_up_gets_no_second_one(house: House) -> None:
    start(house)
    house.clock.wait(minutes=3)
    assert wake_stuck(house.machinery) == 0
    assert house.work() == 1


def test_runs_that_wait_for_people_or_have_ended_are_left_alone(house: House) -> None:
    waiting, done = house.submit(), house.submit()
    house.decide("bob", done, "approve")
    house.clock.wait(days=30)
    tick(house.machinery)
    assert house.take_jobs() == []
    assert house.status(waiting) == "waiting"


def test_loose_files_are_collected_after_a_day_and_needed_ones_kept(house: House) -> None:
    needed = made(house.as_("alice").ask("POST", "/snapshots", content=b"needed"))["digest"]
    loose = house.blobs.add(b"loose")
    assert collect_blobs(house.machinery) == []
    house.clock.wait(hours=25)
    young = house.blobs.add(b"young")
    assert collect_blobs(house.machinery) == [loose]
    assert [is_kept(house, digest) for digest in (needed, loose, young)] == [True, False, True]


def test_old_idempotency_keys_are_forgotten_and_young_ones_not(house: House) -> None:
    body = {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}
    first = made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "k"}))["id"]
    house.clock.wait(days=29)
    sweep(house.machinery)
    assert made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "k"}))["id"] == first
    house.clock.wait(days=2)
    sweep(house.machinery)
    assert made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "k"}))["id"] != first


def test_sessions_are_forgotten_a_month_after_they_were_over_and_those_that_are_good_never(house: House) -> None:
    secret = open_session(house.desk, "bob", [Method.PASSWORD], address="10.0.0.1", agent="Firefox")
    ended = open_session(house.desk, "bob", [Method.PASSWORD], address="10.0.0.2", agent="Firefox")
    [second] = [one["id"] for one in listed(house) if one["address"] == "10.0.0.2"]
    made(house.as_("bob").delete(f"/sessions/{second}"))
    for days, left in ((29, 2), (2, 0)):
        house.clock.wait(days=days)
        sweep(house.machinery)
        with house.database.begin() as tx:
            kept = [found for found in (sessions.find_session(tx, fingerprint(s)) for s in (secret, ended)) if found]
        assert len(kept) == left
    made(house.as_("bob").get("/me"))


def listed(house: House) -> list[dict[str, Any]]:
    return list(made(house.as_("bob").get("/sessions"))["items"])
