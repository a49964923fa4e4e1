"""Deciding over REST: who may, about what, when; what is refused in which words; one decision closes a gate."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from factories import ALICE, BOB, CAROL, CAST, DAVE, ERIN, approvers
from house import House, made, refused
from signoff.domain.actor import Person

APPROVE = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob', 'carol'], required_approvals: 2}
    on_changes_requested: fail_pipeline
"""
ONE = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['bob', 'carol']}}\n"
CHECKLIST = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob'], checklist: ['I read the slice table', 'I read the diff']}
"""


def test_an_approval_is_recorded_with_who_what_and_when(house: House) -> None:
    run_id = house.submit(APPROVE)
    digest = house.gate(run_id)["digest"]
    body = made(house.says("bob", run_id, "approve", comment="good", reasons=[{"kind": "slice", "subject": "age<25"}]))
    assert body["status"] == "open"
    [decision] = body["decisions"]
    assert (decision["by"], decision["verdict"], decision["digest"]) == ("bob", "approve", digest)
    assert decision["reasons"] == [{"kind": "slice", "subject": "age<25"}]
    [event] = [e for e in house.events(run_id) if e.type == "gate.decided"]
    assert (event.actor, event.detail["digest"], event.detail["comment"]) == ("bob", digest, "good")
    assert house.take_jobs() == []
    assert "gate.closed" not in house.types(run_id)


def test_the_last_approval_closes_the_gate_and_wakes_the_run(house: House) -> None:
    run_id = house.submit(APPROVE)
    made(house.says("bob", run_id, "approve"))
    assert made(house.says("carol", run_id, "approve"))["status"] == "approved"
    assert house.status(run_id) == "running"
    assert len(house.take_jobs()) == 1
    assert house.types(run_id)[-2:] == ["gate.decided", "gate.closed"]


def test_the_first_no_closes_the_gate(house: House) -> None:
    run_id = house.submit(APPROVE)
    assert made(house.says("bob", run_id, "request_changes"))["status"] == "changes_requested"
    house.work()
    assert house.status(run_id) == "rejected"
    assert house.run(run_id)["error"] == "approve said no"


def test_a_closed_gate_takes_no_decision(house: House) -> None:
    run_id = house.submit(ONE)
    house.decide("bob", run_id, "approve")
    with house.unchanged():
        answer = house.says("carol", run_id, "reject")
    assert "is closed: approved by bob" in refused(answer, 409, "gate_closed")


def test_an_outsider_is_told_why_not_and_who_can(house: House) -> None:
    run_id = house.submit(ONE.replace(", 'carol'", ""))
    with house.unchanged():
        answer = house.says("carol", run_id, "approve")
    words = refused(answer, 403, "cannot_decide")
    assert words.startswith("carol cannot decide about approve: carol ")
    assert words.endswith("bob can.")


def test_who_can_still_decide_is_not_who_has(house: House) -> None:
    house.people(ALICE, BOB, CAROL, DAVE, ERIN, Person("dana", BOB.roles))
    run_id = house.submit(ONE.replace("['bob', 'carol']", "['bob', 'carol'], required_approvals: 2"))
    house.decide("bob", run_id, "approve")
    words = refused(house.says("dana", run_id, "approve"), 403, "cannot_decide")
    assert words.endswith("carol can.")
    house.decide("carol", run_id, "approve")
    words = refused(house.says("dana", run_id, "approve"), 403, "cannot_decide")
    assert words.endswith("Everybody who can has decided.")


def test_the_submitter_does_not_approve_their_own(house: House) -> None:
    house.people(Person("alice", ALICE.roles | BOB.roles, frozenset({"risk"})), BOB, CAROL, DAVE, ERIN)
    run_id = house.submit(ONE.replace("'bob', 'carol'", "'group:risk'"))
    with house.unchanged():
        answer = house.says("alice", run_id, "approve")
    assert "alice" in refused(answer, 403, "cannot_decide")
    assert house.gate(run_id)["rules"][0]["candidates"] == ["bob", "carol"]
    assert house.gate(run_id)["excluded"] == ["alice"]


def test_the_submitter_approves_their_own_where_the_pipeline_allows_it(house: House) -> None:
    house.people(Person("alice", ALICE.roles | BOB.roles), BOB, CAROL, DAVE, ERIN)
    run_id = house.submit(ONE.replace("'bob', 'carol']", "'alice'], allow_self_approval: true"))
    house.decide("alice", run_id, "approve")
    assert house.status(run_id) == "succeeded"


@pytest.mark.parametrize("who", ["dave", "erin", "alice"])
def test_who_is_no_approver_decides_nothing(house: House, who: str) -> None:
    run_id = house.submit(ONE)
    with house.unchanged():
        answer = house.says(who, run_id, "reject")
    assert f"{who} may not decide" in refused(answer, 403, "cannot_decide")


def test_an_approver_of_other_models_decides_nothing_here(house: House) -> None:
    run_id = house.submit(ONE)
    house.people(ALICE, Person("bob", BOB.roles, models=("churn",)), CAROL, DAVE, ERIN)
    with house.unchanged():
        answer = house.says("bob", run_id, "approve")
    refused(answer, 403, "cannot_decide")


def test_a_decision_about_something_else_is_refused(house: House) -> None:
    run_id = house.submit(ONE)
    seen = "sha256:" + "0" * 64
    with house.unchanged():
        answer = house.says("bob", run_id, "approve", digest=seen)
    words = refused(answer, 409, "subject_changed")
    assert seen in words
    assert house.gate(run_id)["digest"] in words


def test_nobody_decides_twice(house: House) -> None:
    run_id = house.submit(APPROVE)
    made(house.says("bob", run_id, "approve"))
    with house.unchanged():
        again = house.says("bob", run_id, "approve")
        other = house.says("bob", run_id, "reject")
    refused(again, 409, "already_decided")
    assert "signoff withdraw" in refused(other, 409, "already_decided")


@pytest.mark.parametrize("verdict", ["reject", "request_changes"])
@pytest.mark.parametrize("comment", ["", "  \n "])
def test_a_no_without_a_comment_is_refused(house: House, verdict: str, comment: str) -> None:
    run_id = house.submit(ONE)
    with house.unchanged():
        answer = house.says("bob", run_id, verdict, comment=comment)
    assert "needs a comment" in refused(answer, 422, "comment_required")


def test_an_approval_without_every_tick_is_refused(house: House) -> None:
    run_id = house.submit(CHECKLIST)
    with house.unchanged():
        some = house.says("bob", run_id, "approve", ticked=["I read the diff"])
        other = house.says(
            "bob", run_id, "approve", ticked=["I read the diff", "I read the slice table", "I slept on it"]
        )
    assert '--tick "I read the slice table"' in refused(some, 422, "checklist_incomplete")
    assert "'I slept on it'" in refused(other, 422, "checklist_incomplete")
    house.decide("bob", run_id, "approve", ticked=["I read the diff", "I read the slice table"])
    assert house.status(run_id) == "succeeded"


def test_a_no_needs_no_tick(house: House) -> None:
    run_id = house.submit(CHECKLIST)
    house.decide("bob", run_id, "reject")
    assert house.status(run_id) == "rejected"


def test_a_step_that_is_no_gate_is_refused_with_those_there_are(house: House) -> None:
    run_id = house.submit(ONE)
    digest = house.gate(run_id)["digest"]
    with house.unchanged():
        answer = house.says("bob", run_id, "approve", "deploy", digest=digest)
    assert "Its approval steps are approve" in refused(answer, 404, "not_found")


def test_a_gate_that_is_not_open_yet_is_refused(house: House) -> None:
    two = ONE + "  - {name: second, type: approval, inputs: {approvers: ['carol']}}\n"
    run_id = house.submit(two)
    digest = house.gate(run_id)["digest"]
    with house.unchanged():
        answer = house.says("carol", run_id, "approve", "second", digest=digest)
    assert "second is not open yet" in refused(answer, 409, "conflict")


def test_a_decision_is_withdrawn_while_the_gate_is_open_and_made_anew(house: House) -> None:
    run_id = house.submit(APPROVE)
    made(house.says("bob", run_id, "approve"))
    gate = made(house.as_("bob").delete(f"/runs/{run_id}/gates/approve/decisions/mine"))
    assert gate["rules"][0]["missing"] == 2
    assert [d["is_withdrawn"] for d in gate["decisions"]] == [True]
    assert house.types(run_id)[-1] == "gate.withdrawn"
    made(house.says("carol", run_id, "approve"))
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_nothing_is_withdrawn_that_was_not_said(house: House) -> None:
    run_id = house.submit(APPROVE)
    with house.unchanged():
        answer = house.as_("bob").delete(f"/runs/{run_id}/gates/approve/decisions/mine")
    assert "bob has not decided" in refused(answer, 404, "not_found")


def test_nothing_is_withdrawn_once_the_gate_is_closed(house: House) -> None:
    run_id = house.submit(ONE)
    house.decide("bob", run_id, "approve")
    with house.unchanged():
        answer = house.as_("bob").delete(f"/runs/{run_id}/gates/approve/decisions/mine")
    assert "is closed: approved" in refused(answer, 409, "gate_closed")


def test_one_person_counts_for_one_rule_only(house: House) -> None:
    rules = """\
steps:
  - name: approve
    type: approval
    inputs:
      rules:
        - {name: risk, approvers: ['group:risk']}
        - {name: product, approvers: ['bob']}
"""
    run_id = house.submit(rules)
    body = made(house.says("bob", run_id, "approve"))
    assert body["status"] == "open"
    assert sum(rule["missing"] for rule in body["rules"]) == 1
    body = made(house.says("carol", run_id, "approve"))
    assert body["status"] == "approved"
    assert {rule["name"]: rule["counted"] for rule in body["rules"]} == {"risk": ["carol"], "product": ["bob"]}


def test_a_group_is_who_belongs_to_it_now(house: House) -> None:
    run_id = house.submit(ONE.replace("'bob', 'carol'", "'group:risk'"))
    house.people(ALICE, Person("bob", BOB.roles), CAROL, DAVE, ERIN)
    with house.unchanged():
        refused(house.says("bob", run_id, "approve"), 403, "cannot_decide")
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def crowd(house: House, run_id: str, verdicts: dict[str, str]) -> Counter[int]:
    """Everybody says what they say at the same moment; how many got which answer."""
    digest = house.gate(run_id)["digest"]
    together = threading.Barrier(len(verdicts))
    callers = {name: house.as_(name) for name in verdicts}

    def say(name: str) -> int:
        body = {"verdict": verdicts[name], "comment": "because", "digest": digest}
        together.wait()
        status = callers[name].post(f"/runs/{run_id}/gates/approve/decisions", body).status_code
        assert isinstance(status, int)
        return status

    with ThreadPoolExecutor(len(verdicts)) as pool:
        return Counter(pool.map(say, verdicts))


@pytest.fixture
def twenty(house: House) -> list[str]:
    names = [f"approver-{number}" for number in range(20)]
    house.people(*CAST, *approvers(names, "many"))
    return names


THREE = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['group:many'], required_approvals: 3}}\n"


def test_of_twenty_approvals_at_once_three_close_the_gate_once(house: House, twenty: list[str]) -> None:
    run_id = house.submit(THREE)
    assert crowd(house, run_id, dict.fromkeys(twenty, "approve")) == {200: 3, 409: 17}
    assert Counter(house.types(run_id))["gate.decided"] == 3
    assert Counter(house.types(run_id))["gate.closed"] == 1
    assert len(house.gate(run_id)["decisions"]) == 3
    assert house.work() == 1
    assert house.status(run_id) == "succeeded"


def test_of_twenty_verdicts_at_once_exactly_one_closes_the_gate(house: House, twenty: list[str]) -> None:
    run_id = house.submit(THREE)
    answers = crowd(
        house, run_id, {name: "reject" if number % 4 == 0 else "approve" for number, name in enumerate(twenty)}
    )
    gate = house.gate(run_id)
    said = [decision["verdict"] for decision in gate["decisions"]]
    assert answers[200] == len(said) == Counter(house.types(run_id))["gate.decided"]
    assert answers[200] + answers[409] == 20
    assert Counter(house.types(run_id))["gate.closed"] == 1
    # Whoever was first: three approvals, or the first no after at most two.
    closing = said.count("reject")
    assert (gate["status"], closing, len(said)) in (
        ("approved", 0, 3),
        ("rejected", 1, 1),
        ("rejected", 1, 2),
        ("rejected", 1, 3),
    )
    assert house.work() == 1


def test_a_decision_and_a_cancellation_at_once_leave_one_of_them(house: House) -> None:
    run_id = house.submit(ONE)
    digest = house.gate(run_id)["digest"]
    together = threading.Barrier(2)
    bob, alice = house.as_("bob"), house.as_("alice")

    def approve() -> int:
        together.wait()
        body = {"verdict": "approve", "digest": digest}
        return int(bob.post(f"/runs/{run_id}/gates/approve/decisions", body).status_code)

    def cancel() -> int:
        together.wait()
        return int(alice.post(f"/runs/{run_id}/cancel").status_code)

    with ThreadPoolExecutor(2) as pool:
        decided, cancelled = pool.submit(approve), pool.submit(cancel)
    assert cancelled.result() == 200
    assert decided.result() in {200, 409}
    house.work()
    assert house.status(run_id) == "cancelled"
    assert house.gate(run_id)["status"] == ("approved" if decided.result() == 200 else "cancelled")
