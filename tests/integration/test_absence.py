"""Absence over REST: naming a delegate, deciding for somebody, and what the record says of both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from factories import CAST, NOON
from house import House, made, refused
from signoff.domain.actor import Credential, Person, Role

BOTH = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob', 'erin'], required_approvals: 2}
"""
BOB = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['bob']}}\n"


@pytest.fixture(autouse=True)
def _erin_approves(house: House) -> None:
    erin = Person("erin", frozenset({Role.ADMIN, Role.APPROVER}))
    house.people(*[person for person in CAST if person.name != "erin"], erin)


def days(number: float) -> str:
    return (NOON + timedelta(days=number)).isoformat()


def delegate(house: House, who: str, to: str, *, since: float = 0, until: float = 14, **more: Any) -> Any:
    body = {"delegate": to, "since": days(since), "until": days(until), **more}
    return house.as_(who).post("/delegations", body)


def test_a_delegate_decides_for_the_absent_and_both_are_on_record(house: House) -> None:
    made(delegate(house, "bob", "carol"))
    run_id = house.submit(BOB)
    assert [item["step"] for item in house.as_("carol").get("/inbox").json()["items"]] == ["approve"]
    listed = house.as_("carol").get("/runs?waiting_on=carol").json()["items"]
    assert [item["id"] for item in listed] == [run_id]
    gate = made(house.says("carol", run_id, "approve", comment="bob is away"))
    [decision] = gate["decisions"]
    assert (decision["by"], decision["on_behalf_of"], gate["rules"][0]["counted"]) == ("carol", "bob", ["bob"])
    assert gate["status"] == "approved"
    [event] = [e for e in house.events(run_id) if e.type == "gate.decided"]
    assert (event.actor, event.detail["on_behalf_of"]) == ("carol", "bob")
    house.work()
    assert house.status(run_id) == "succeeded"


def test_the_absence_begins_and_ends_when_it_says(house: House) -> None:
    made(delegate(house, "bob", "carol", since=7, until=14))
    run_id = house.submit(BOB)
    assert "carol is not among the approvers (bob)" in refused(
        house.says("carol", run_id, "approve"), 403, "cannot_decide"
    )
    house.clock.wait(days=14)
    refused(house.says("carol", run_id, "approve"), 403, "cannot_decide")
    house.clock.wait(days=-5)
    assert made(house.says("carol", run_id, "approve"))["status"] == "approved"


def test_a_delegate_who_approved_for_themselves_does_not_count_again_for_another(house: House) -> None:
    made(delegate(house, "erin", "bob"))
    run_id = house.submit(BOTH)
    assert made(house.says("bob", run_id, "approve"))["status"] == "open"
    again = house.says("bob", run_id, "approve", on_behalf_of="erin")
    assert "bob already decided about approve: approve." in refused(again, 409, "already_decided")
    assert house.run(run_id)["waits_for"] == (
        "approve waits for 1 more approval for approve, from erin (away; bob may decide for them)."
    )
    assert made(house.says("erin", run_id, "approve"))["status"] == "approved"


def test_an_ended_delegation_decides_no_more_and_what_it_decided_stands(house: House) -> None:
    found = made(delegate(house, "bob", "carol"))
    run_id = house.submit(BOTH)
    made(house.says("carol", run_id, "approve"))
    made(house.as_("bob").delete(f"/delegations/{found['id']}"))
    other = house.submit(BOTH)
    refused(house.says("carol", other, "approve"), 403, "cannot_decide")
    assert made(house.says("erin", run_id, "approve"))["status"] == "approved"
    refused(house.as_("bob").delete(f"/delegations/{found['id']}"), 409, "conflict")
    assert house.as_("dave").get("/delegations").json()["items"] == []
    assert len(house.as_("dave").get("/delegations?over=true").json()["items"]) == 1


def test_the_absent_person_takes_back_what_their_delegate_decided(house: House) -> None:
    made(delegate(house, "bob", "carol"))
    run_id = house.submit(BOTH)
    made(house.says("carol", run_id, "approve"))
    gate = made(house.as_("bob").delete(f"/runs/{run_id}/gates/approve/decisions/mine"))
    assert (gate["rules"][0]["counted"], gate["decisions"][0]["is_withdrawn"]) == ([], True)


def test_a_delegate_who_left_before_the_gate_closed_no_longer_counts(house: House) -> None:
    made(delegate(house, "bob", "carol"))
    run_id = house.submit(BOTH)
    made(house.says("carol", run_id, "approve"))
    erin = Person("erin", frozenset({Role.ADMIN, Role.APPROVER}))
    house.people(*[p for p in CAST if p.name not in {"erin", "carol"}], erin, Person("carol", frozenset()))
    gate = made(house.says("erin", run_id, "approve"))
    assert (gate["status"], gate["rules"][0]["counted"]) == ("open", ["erin"])


@pytest.mark.parametrize("person", ["bob", "carol"])
def test_only_oneself_or_an_administrator_names_a_delegate(house: House, person: str) -> None:
    response = (
        delegate(house, "carol", "erin", person="bob")
        if person == "bob"
        else delegate(house, "erin", "bob", person="carol")
    )
    if person == "bob":
        words = refused(response, 403, "not_allowed")
        assert words == "carol may not name a delegate for bob. bob or an administrator can."
    else:
        assert (made(response)["person"], made(response)["by"]) == ("carol", "erin")


def test_a_token_names_no_delegate(house: House) -> None:
    body = {"delegate": "carol", "since": days(0), "until": days(1)}
    words = refused(house.as_("bob", Credential.TOKEN).post("/delegations", body), 403, "not_allowed")
    assert words.startswith("An API token cannot delegate.")


def test_two_absences_of_one_person_do_not_overlap(house: House) -> None:
    first = made(delegate(house, "bob", "carol", since=0, until=7))
    words = refused(delegate(house, "bob", "erin", since=6, until=9), 422, "bad_delegation")
    assert words.endswith(f"End that first: `signoff delegate --end {first['id']}`.")
    made(delegate(house, "bob", "erin", since=7, until=9))


def test_a_time_without_an_offset_is_refused(house: House) -> None:
    body = {"delegate": "carol", "since": datetime(2026, 11, 2).isoformat(), "until": days(3)}  # noqa: DTZ001
    response = house.as_("bob").post("/delegations", body)
    assert (response.status_code, response.json()["code"]) == (422, "malformed_request")


def test_anybody_asks_why_a_named_person_cannot_decide(house: House) -> None:
    run_id = house.submit(BOB)
    path = f"/runs/{run_id}/gates/approve/explanation"
    told = {p["person"]: p["why"] for p in house.as_("dave").get(f"{path}?person=mallory").json()["people"]}
    assert told["mallory"] == "is not known to this server"
    assert told["carol"] == "is not among the approvers (bob)"
