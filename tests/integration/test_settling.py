"""A gate that could close does: people who come back count again, without anybody deciding anew."""

from __future__ import annotations

import pytest

from factories import BOB, CAROL, CAST
from house import House, made
from signoff.domain.actor import Person, Role

TWO = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['group:risk'], required_approvals: 2}}\n"
DAN = Person("dan", frozenset({Role.APPROVER}), frozenset({"risk"}))
GONE = Person("bob", frozenset({Role.APPROVER}))
OTHERS = [person for person in CAST if person not in {BOB, CAROL}]


@pytest.fixture(autouse=True)
def _dan_is_in_risk_too(house: House) -> None:
    house.people(*OTHERS, BOB, CAROL, DAN)


def test_a_gate_closes_when_somebody_whose_approval_stands_comes_back(house: House) -> None:
    run_id = house.submit(TWO)
    made(house.says("bob", run_id, "approve"))
    house.people(*OTHERS, GONE, CAROL, DAN)
    made(house.says("carol", run_id, "approve"))
    house.tick()
    assert house.status(run_id) == "waiting"
    house.people(*OTHERS, BOB, CAROL, DAN)
    assert house.status(run_id) == "waiting"
    house.tick()
    assert house.status(run_id) == "succeeded"
    [closed] = [e for e in house.events(run_id) if e.type == "gate.closed"]
    assert (closed.actor, closed.detail["why"]) == ("system", "people changed, and what was decided suffices now")


def test_a_gate_that_still_lacks_somebody_stays_open(house: House) -> None:
    run_id = house.submit(TWO)
    made(house.says("bob", run_id, "approve"))
    house.people(*OTHERS, GONE, CAROL, DAN)
    house.tick()
    house.people(*OTHERS, BOB, CAROL, DAN)
    house.tick()
    assert (house.status(run_id), house.gate(run_id)["rules"][0]["counted"]) == ("waiting", ["bob"])


def test_gates_are_looked_at_once_after_a_change_and_then_left_alone(house: House) -> None:
    house.submit(TWO)
    house.tick()
    settled = house.kept()["gates"]
    with house.database.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE decisions RENAME TO decisions_away")  # looking at decisions would fail now
    house.tick()
    with house.database.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE decisions_away RENAME TO decisions")
    assert house.kept()["gates"] == settled
