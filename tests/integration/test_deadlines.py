"""Deadlines of gates as the minute tick keeps them: over weeks, restarts, jumping clocks, races and crowds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from factories import CAST, MODEL, NOON
from house import House, made, refused
from signoff.domain.actor import Person, Role
from signoff.domain.deadlines import Due
from signoff.domain.errors import SignoffError
from signoff.engine import deadlines
from signoff.engine.deadlines import Lister, keep_deadlines, moment_to_act
from signoff.engine.machinery import Machinery
from signoff.engine.tick import tick
from signoff.store.database import Transaction
from signoff.store.deadlines import DueGate, get_clock, list_outlived, list_to_remind, list_unanswered

DANA = Person("dana", frozenset({Role.APPROVER}), frozenset({"leads"}))

GATE = """\
max_attempts: 3
steps:
  - name: train
    type: training
  - name: approve
    type: approval
    inputs:
      approvers: ['bob', 'carol']
%s    on_reject: retrain
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""
EXPIRES = GATE % "      timeout: 72h\n"
ESCALATES = GATE % "      timeout: 72h\n      on_timeout: escalate\n      escalate_to: ['group:leads']\n"
REMINDS = GATE % "      remind_every: 24h\n"
FOR_EVER = GATE % ""


@pytest.fixture
def crowd(house: House) -> House:
    """The house, with dana, who leads."""
    house.people(*CAST, DANA)
    return house


def another_worker(house: House) -> Machinery:
    """A worker that has just started."""
    return replace(house.machinery)


def test_a_gate_that_nobody_answers_in_time_ends_its_run_and_nothing_is_trained_again(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.clock.wait(hours=71)
    house.tick()
    assert house.status(run_id) == "waiting"
    house.clock.wait(hours=1)
    house.tick()
    run = house.run(run_id)
    assert (run["status"], run["model_status"], run["attempt"]) == ("expired", "expired", 1)
    assert run["error"] == "approve was not decided by 5 November 12:00 UTC"
    assert (house.gate(run_id)["status"], house.step(run_id, "approve")["status"]) == ("expired", "expired")
    assert house.step(run_id, "deploy")["status"] == "pending"
    assert house.types(run_id)[-2:] == ["gate.expired", "run.expired"]
    assert house.registry.resolve(f"models:/{MODEL}/1", MODEL).tags["signoff.status"] == "expired"


def test_an_expired_gate_takes_no_decision_and_says_so(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.clock.wait(days=4)
    house.tick()
    with house.unchanged():
        said = refused(house.says("bob", run_id, "approve"), 409, "gate_closed")
    assert said.startswith("approve of attempt 1 is closed: expired.")


def test_waiting_is_for_ever_by_default(house: House) -> None:
    run_id = house.submit(FOR_EVER)
    for _ in range(10):
        house.clock.wait(weeks=20)
        house.tick()
    assert house.status(run_id) == "waiting"
    house.decide("bob", run_id, "approve")
    assert house.run(run_id)["model_status"] == "deployed"


def test_a_decision_in_time_is_what_counts_and_the_deadline_is_forgotten(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.clock.wait(hours=71)
    house.decide("bob", run_id, "approve")
    house.clock.wait(weeks=3)
    house.tick()
    assert house.run(run_id)["model_status"] == "deployed"


def test_each_round_of_a_gate_has_a_deadline_of_its_own(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.clock.wait(hours=71)
    house.decide("bob", run_id, "request_changes")
    assert house.status(run_id) == "changes_requested"
    house.clock.wait(weeks=2)
    made(house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": house.version()}))
    house.work()
    house.tick()
    assert house.status(run_id) == "waiting"
    house.clock.wait(hours=72)
    house.tick()
    assert house.status(run_id) == "expired"


def test_after_the_timeout_further_people_are_asked_and_may_approve(crowd: House) -> None:
    run_id = crowd.submit(ESCALATES)
    assert crowd.run(run_id)["waits_for"].endswith("until 5 November 12:00 UTC; then dana is asked too.")
    why = refused(crowd.says("dana", run_id, "approve"), 403, "cannot_decide")
    assert "dana is not among the approvers (bob, carol)" in why
    assert inbox(crowd, "dana") == []
    crowd.clock.wait(hours=72)
    crowd.tick()
    assert crowd.status(run_id) == "waiting"
    assert "gate.escalated" in crowd.types(run_id)
    assert crowd.run(run_id)["can_unblock"] == ["bob", "carol", "dana"]
    assert inbox(crowd, "dana") == [run_id]
    crowd.clock.wait(weeks=5)
    crowd.tick()
    assert crowd.types(run_id).count("gate.escalated") == 1
    crowd.decide("dana", run_id, "approve")
    assert crowd.run(run_id)["model_status"] == "deployed"


def test_an_escalation_after_which_what_was_said_suffices_closes_the_gate(crowd: House) -> None:
    rules = """\
      rules:
        - {name: risk, approvers: ['bob', 'carol']}
        - {name: product, approvers: ['dana']}
      timeout: 72h
      on_timeout: escalate
      escalate_to: ['carol']
"""
    run_id = crowd.submit(
        ESCALATES.replace(GATE[GATE.index("      approvers") : GATE.index("%s")], "").replace(
            "      timeout: 72h\n      on_timeout: escalate\n      escalate_to: ['group:leads']\n", rules
        )
    )
    crowd.decide("bob", run_id, "approve")
    crowd.decide("carol", run_id, "approve")
    assert crowd.status(run_id) == "waiting"
    crowd.clock.wait(hours=73)
    crowd.tick()
    assert crowd.run(run_id)["model_status"] == "deployed"


def test_those_who_are_missing_are_reminded_in_a_steady_rhythm_and_once_for_all_that_was_missed(house: House) -> None:
    run_id = house.submit(REMINDS)
    for _ in range(2):
        house.clock.wait(hours=24)
        house.tick()
    assert reminders(house, run_id) == [(1, ["bob", "carol"]), (2, ["bob", "carol"])]
    house.clock.wait(days=20)
    for _ in range(5):
        house.tick()
    assert [number for number, _ in reminders(house, run_id)] == [1, 2, 3]
    gate = house.gate(run_id)
    assert gate["reminders"] == 3
    assert datetime.fromisoformat(gate["remind_at"]) - house.clock.now < timedelta(hours=24)
    assert datetime.fromisoformat(gate["remind_at"]).replace(microsecond=0) == datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_nobody_is_reminded_of_what_is_decided(house: House) -> None:
    run_id = house.submit(REMINDS)
    house.decide("bob", run_id, "approve")
    house.clock.wait(days=2)
    house.tick()
    assert reminders(house, run_id) == []


def test_a_deadline_passes_while_no_worker_runs_and_the_next_one_keeps_it(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.tick()
    house.clock.wait(weeks=2)
    worker = another_worker(house)
    tick(worker)
    assert house.status(run_id) == "waiting", "the first tick after a silence only takes note"
    house.clock.wait(minutes=1)
    tick(worker)
    assert house.status(run_id) == "expired"


def test_a_deadline_is_not_moved_when_the_clocks_change_that_night(house: House) -> None:
    house.clock.now = datetime(2026, 10, 24, 10, 0, tzinfo=UTC)  # Europe ends daylight saving in the night that follows
    run_id = house.submit(GATE % "      timeout: 24h\n")
    house.clock.now = datetime(2026, 10, 25, 9, 50, tzinfo=UTC)
    house.tick()
    assert house.status(run_id) == "waiting"
    house.clock.now = datetime(2026, 10, 25, 10, 0, 1, tzinfo=UTC)
    house.tick()
    assert house.status(run_id) == "expired"


def test_a_clock_that_jumps_ahead_and_is_put_right_expires_nothing(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.tick()
    right = house.clock.now
    house.clock.now = right + timedelta(days=30)
    tick(house.machinery)
    house.clock.now = right + timedelta(minutes=1)
    for _ in range(3):
        house.clock.wait(minutes=1)
        tick(house.machinery)
    assert house.status(run_id) == "waiting"


def test_a_worker_whose_clock_is_wrong_does_nothing_about_deadlines(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.clock.wait(hours=73)
    right = house.clock.now
    wrong = replace(house.machinery, clock=lambda: right + timedelta(minutes=20))
    for minute in range(5):
        house.database_clock = lambda minute=minute: right + timedelta(minutes=minute)
        tick(wrong)
    assert house.status(run_id) == "waiting"
    house.clock.now = right + timedelta(minutes=5)
    house.database_clock = None
    tick(house.machinery)
    assert house.status(run_id) == "expired"


def test_a_clock_that_goes_back_waits_a_tick_and_goes_on(house: House) -> None:
    run_id = house.submit(EXPIRES)
    house.clock.wait(hours=80)
    house.clock.now += timedelta(hours=2)
    tick(house.machinery)
    house.clock.now -= timedelta(hours=1)
    tick(house.machinery)
    assert house.status(run_id) == "waiting"
    house.clock.wait(minutes=1)
    tick(house.machinery)
    assert house.status(run_id) == "expired"


def test_the_clock_that_workers_share_is_the_database_s_own(house: House) -> None:
    with house.database.begin() as tx:
        first, second = get_clock(tx), get_clock(tx)
    assert first < second, "each look is a new one, not the beginning of the transaction"
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)


def test_with_the_clocks_of_this_machine_the_second_tick_acts(house: House) -> None:
    worker = replace(house.machinery, clock=lambda: datetime.now(UTC), database_clock=get_clock)
    assert moment_to_act(worker) is None
    moment = moment_to_act(worker)
    assert moment is not None
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_two_workers_that_tick_at_once_do_each_thing_once(crowd: House) -> None:
    expiring = [crowd.submit(EXPIRES) for _ in range(4)]
    escalating = [crowd.submit(ESCALATES.replace("72h", "72h\n      remind_every: 24h")) for _ in range(4)]
    crowd.clock.wait(hours=73)
    now, gate = crowd.clock.now, Barrier(2)

    def work() -> Counter[Due]:
        gate.wait()
        return keep_deadlines(another_worker(crowd), now)

    with ThreadPoolExecutor(2) as pool:
        total = sum((job.result() for job in [pool.submit(work) for _ in range(2)]), Counter[Due]())
    assert total == {Due.EXPIRE: 4, Due.ESCALATE: 4, Due.REMIND: 4}
    for run_id in expiring:
        assert crowd.types(run_id).count("gate.expired") == crowd.types(run_id).count("run.expired") == 1
    for run_id in escalating:
        assert crowd.types(run_id).count("gate.escalated") == crowd.types(run_id).count("gate.reminded") == 1


def test_a_decision_that_races_the_expiry_either_counts_or_is_refused_never_both(house: House) -> None:
    for _ in range(8):
        run_id = house.submit(EXPIRES)
        digest = house.gate(run_id)["digest"]
        house.clock.wait(hours=73)
        now, start = house.clock.now, Barrier(2)

        def expire(start: Barrier = start, now: datetime = now) -> Counter[Due]:
            start.wait()
            return keep_deadlines(house.machinery, now)

        def approve(start: Barrier = start, run_id: str = run_id, digest: str = digest) -> int:
            start.wait()
            return house.says("bob", run_id, "approve", digest=digest).status_code

        with ThreadPoolExecutor(2) as pool:
            jobs = pool.submit(expire), pool.submit(approve)
            expired, answer = jobs[0].result()[Due.EXPIRE], jobs[1].result()
        house.work()
        assert (expired, answer, house.status(run_id)) in {(1, 409, "expired"), (0, 200, "succeeded")}


def test_a_deadline_that_cannot_be_kept_does_not_keep_the_others_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = house.submit(EXPIRES), house.submit(EXPIRES)
    act = deadlines._act

    def stumbles(tx: object, found: DueGate, *more: datetime) -> object:
        if found.run_id == first:
            raise SignoffError("It stumbled.", "")
        return act(tx, found, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(deadlines, "_act", stumbles)
    house.clock.wait(hours=73)
    house.tick()
    assert (house.status(first), house.status(second)) == ("waiting", "expired")
    monkeypatch.undo()
    house.tick()
    assert house.status(first) == "expired"


CROWD = 100_000
_MANY = text(
    """
    INSERT INTO gates (id, run_id, step, attempt, round, status, model, subject, digest, rules, environment_rules,
                       approvers, excluded, checklist, opened_at, expires_at, remind_every, remind_at, valid_until)
    SELECT 'many-' || n, run_id, step, attempt, round + n, CASE WHEN n % 2 = 0 THEN 'open' ELSE 'approved' END, model,
           subject, digest, rules, environment_rules, approvers, excluded, checklist, opened_at,
           opened_at + n * interval '1 hour', interval '1 day', opened_at + n * interval '1 hour',
           opened_at + n * interval '1 hour'
    FROM gates, generate_series(1, :count) n WHERE id = :gate_id
    """
)


@pytest.mark.parametrize(
    ("lister", "index"),
    [
        (list_unanswered, "gates_open_expires_at_idx"),
        (list_to_remind, "gates_open_remind_at_idx"),
        (list_outlived, "gates_valid_until_idx"),
    ],
)
def test_among_a_hundred_thousand_gates_with_deadlines_the_tick_reads_only_what_is_due(
    house: House, lister: Lister, index: str
) -> None:
    gate_id = house.gate(house.submit(FOR_EVER))["id"]
    with house.database.begin() as tx:
        tx.execute(_MANY, {"count": CROWD, "gate_id": gate_id})
        tx.execute(text("ANALYZE gates"))
    now = NOON + timedelta(hours=10, minutes=30)
    with house.database.begin() as tx:
        found = lister(tx, now=now, after=None, limit=100)
        assert [round((due.moment - NOON) / timedelta(hours=1)) in range(1, 11) for due in found] == [True] * 5
        assert found == sorted(found)
        assert lister(tx, now=now, after=found[1], limit=2) == found[2:4]
    for after in (None, found[1]):
        plans = plans_of(house, partial(lister, now=now, after=after, limit=100))
        scans = [node for node in plans if "Scan" in node["Node Type"]]
        assert [(scan["Node Type"], scan["Index Name"]) for scan in scans] == [("Index Scan", index)]
        assert scans[0]["Actual Rows"] + scans[0].get("Rows Removed by Filter", 0) <= len(found)


def plans_of(house: House, ask: Callable[[Transaction], object]) -> list[dict[str, Any]]:
    """Every node of the plans by which the database answered what `ask` asked."""
    asked: list[tuple[str, Any]] = []
    with house.database.begin() as tx:
        listen(tx, "before_cursor_execute", lambda *sent: asked.append((sent[2], sent[3])))
        ask(tx)
    nodes: list[dict[str, Any]] = []
    with house.database.begin() as tx:
        for statement, values in asked:
            (answer,) = tx.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).scalar_one()
            nodes.append(answer["Plan"])
    for node in nodes:
        nodes.extend(node.get("Plans", ()))
    return nodes


def inbox(house: House, who: str) -> list[str]:
    items = made(house.as_(who).get("/inbox"))["items"]
    return [item["run"]["id"] for item in items if item["can_decide"]]


def reminders(house: House, run_id: str) -> list[tuple[int, list[str]]]:
    return [
        (event.detail["reminder"], event.detail["missing"])
        for event in house.events(run_id)
        if event.type.value == "gate.reminded"
    ]
