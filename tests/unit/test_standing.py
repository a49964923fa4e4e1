"""Where a person stands with a gate, what it waits for in words, and who an absent approver's delegate counts as."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from factories import MODEL, a_decision, a_directory, a_gate, a_rule, approvers, at
from signoff.domain.absence import Delegation, check_can_delegate
from signoff.domain.actor import Directory, Person, Role
from signoff.domain.deciding import check_can_decide, choose_for_whom
from signoff.domain.errors import (
    AlreadyDecidedError,
    CannotDecideError,
    ChooseAbsentError,
    DelegationError,
    NotDelegatedError,
)
from signoff.domain.explanation import explain
from signoff.domain.gate import Decision, Gate, GateStatus, Verdict, evaluate
from signoff.domain.standing import Standing, room_of, standing

WEEK = 7 * 24 * 60


def away(person: str, delegate: str, *, since: float = -60, until: float = WEEK) -> Delegation:
    return Delegation(f"{person}-{delegate}", person, delegate, at(since), at(until), person)


def given(
    gate: Gate, by: str, absent: str | None = None, verdict: Verdict = Verdict.APPROVE, minute: float = 1
) -> Decision:
    return replace(a_decision(gate, by, verdict, minute=minute), on_behalf_of=absent)


def of(person: str, gate: Gate, *delegations: Delegation, decisions: tuple[Decision, ...] = ()) -> Standing:
    return standing(room_of(gate, a_directory(), delegations), person, decisions)


def test_a_delegates_approval_counts_as_the_absent_persons() -> None:
    gate = a_gate(a_rule("bob"))
    found = evaluate(gate, [given(gate, "carol", "bob")], a_directory())
    assert (found.status, found.rules[0].counted) == (GateStatus.APPROVED, ("bob",))


def test_a_delegates_no_closes_the_gate_as_the_absent_persons_would() -> None:
    gate = a_gate(a_rule("bob"))
    found = evaluate(gate, [given(gate, "carol", "bob", Verdict.REJECT)], a_directory())
    assert found.status is GateStatus.REJECTED


@pytest.mark.parametrize(
    "decisions",
    [
        [("bob", None), ("bob", "carol")],
        [("bob", "carol"), ("bob", None)],
        [("bob", "carol"), ("carol", "bob")],
        [("bob", "carol"), ("carol", None)],
        [("erin", "carol"), ("bob", "carol")],
    ],
    ids=["self first", "delegate first", "for each other", "came back", "two delegates"],
)
def test_nobody_counts_twice_by_standing_in(decisions: list[tuple[str, str | None]]) -> None:
    gate = a_gate(a_rule("bob", "carol", required=2))
    erin = Person("erin", frozenset({Role.APPROVER, Role.ADMIN}))
    said = [given(gate, by, absent, minute=n) for n, (by, absent) in enumerate(decisions, start=1)]
    found = evaluate(gate, said, a_directory(erin))
    assert (found.status, found.rules[0].missing) == (GateStatus.OPEN, 1)


def test_nobody_counts_twice_for_the_environment_by_standing_in_at_an_earlier_gate() -> None:
    before = a_gate(a_rule("carol"), step="first")
    gate = a_gate(a_rule("bob"), environment_rules=(a_rule("bob", "carol", required=2),))
    found = evaluate(gate, [given(gate, "bob", minute=2)], a_directory(), earlier=[given(before, "bob", "carol")])
    assert (found.status, found.rules[1].missing) == (GateStatus.OPEN, 1)


@pytest.mark.parametrize(
    ("excluded", "carol"),
    [
        (("alice", "carol"), Person("carol", frozenset({Role.APPROVER}))),
        (("alice", "bob"), Person("carol", frozenset({Role.APPROVER}))),
        (("alice",), Person("carol", frozenset({Role.SUBMITTER}))),
        (("alice",), Person("carol", frozenset({Role.APPROVER}), is_active=False)),
        (("alice",), Person("carol", frozenset({Role.APPROVER}), models=("churn-*",))),
    ],
    ids=["delegate contributed", "absent contributed", "no approver", "deactivated", "other models"],
)
def test_separation_of_duties_is_judged_on_both(excluded: tuple[str, ...], carol: Person) -> None:
    gate = a_gate(a_rule("bob"), excluded=excluded)
    assert evaluate(gate, [given(gate, "carol", "bob")], a_directory(carol)).status is GateStatus.OPEN


def test_a_delegate_is_told_for_whom_they_may_decide() -> None:
    gate = a_gate(a_rule("bob"))
    found = of("carol", gate, away("bob", "carol"))
    assert (found.can_decide, found.is_own, found.stands_in_for) == (True, False, ("bob",))
    assert found.why == "may decide on behalf of bob, who is away"
    assert of("carol", gate).why == "is not among the approvers (bob)"
    assert of("bob", gate, away("bob", "carol")).why.endswith("; away until 9 November 2026, carol stands in")


def test_what_was_delegated_is_not_passed_on() -> None:
    gate = a_gate(a_rule("bob"))
    found = of("erin", gate, away("bob", "carol"), away("carol", "erin"))
    assert (found.can_decide, found.stands_in_for) == (False, ())


def test_the_sentence_names_who_stands_in() -> None:
    gate = a_gate(a_rule("bob"))
    room = room_of(gate, a_directory(), [away("bob", "carol")])
    told = explain(room, evaluate(gate, [], a_directory()), [])
    assert told.sentence == "approve waits for 1 more approval for bob, from bob (away; carol may decide for them)."
    assert {p.person: p.can_decide for p in told.people}["carol"] is True


def test_somebody_named_besides_is_told_about_even_when_unknown() -> None:
    gate = a_gate(a_rule("bob"))
    told = explain(room_of(gate, a_directory()), evaluate(gate, [], a_directory()), [], "mallory")
    assert {p.person: p.why for p in told.people}["mallory"] == "is not known to this server"


def test_who_can_help_includes_whoever_sets_somebody_free() -> None:
    people = Directory.of(approvers(["bob", "carol", "dan"]))
    gate = a_gate(a_rule("bob", "carol", name="product"), a_rule("bob", name="risk"))
    found = evaluate(gate, [a_decision(gate, "bob")], people)
    missing = next(state for state in found.rules if state.missing)
    assert missing.candidates == ("carol",), "carol's approval lets bob count for risk"
    assert evaluate(gate, [a_decision(gate, "bob"), a_decision(gate, "carol")], people).status is GateStatus.APPROVED


def test_a_delegate_of_several_has_to_say_for_whom() -> None:
    gate = a_gate(a_rule("bob", "erin", required=2))
    erin = Person("erin", frozenset({Role.APPROVER}))
    room = room_of(gate, a_directory(erin), [away("bob", "carol"), away("erin", "carol")])
    with pytest.raises(ChooseAbsentError) as refused:
        choose_for_whom(room, "carol", [])
    assert str(refused.value) == "carol stands in for bob and erin at approve. Say for whom you decide: --for bob."
    assert choose_for_whom(room, "carol", [], "erin") == "erin"
    assert choose_for_whom(room, "bob", []) is None


def test_deciding_for_somebody_who_asked_nobody_is_refused() -> None:
    room = room_of(a_gate(a_rule("bob")), a_directory())
    with pytest.raises(NotDelegatedError) as refused:
        choose_for_whom(room, "carol", [], "bob")
    assert str(refused.value) == (
        "bob has not named carol to decide for them at present. "
        "bob or an administrator can: `signoff delegate carol --from DATE --until DATE`."
    )


def test_a_delegate_who_contributed_is_refused_in_words() -> None:
    gate = a_gate(a_rule("bob"), excluded=("alice", "carol"))
    room = room_of(gate, a_directory(), [away("bob", "carol")])
    with pytest.raises(CannotDecideError) as refused:
        check_can_decide(room, "carol", Verdict.APPROVE, [], digest=gate.digest, on_behalf_of="bob")
    assert str(refused.value) == (
        "carol cannot decide about approve on behalf of bob: carol submitted or contributed to this version, "
        "and the gate does not allow self-approval. bob can."
    )


def test_who_contributed_hears_that_the_environment_does_not_count_them() -> None:
    risk = a_rule("carol", name="risk")
    gate = a_gate(a_rule("bob"), environment_rules=(risk,), excluded=(), contributors=("carol",))
    assert of("carol", gate).why == (
        "submitted or contributed to this version, and production takes nobody's word on their own"
    )
    assert of("bob", gate).can_decide
    assert of("carol", replace(gate, contributors=())).can_decide


def test_the_absent_person_hears_that_their_delegate_decided() -> None:
    gate = a_gate(a_rule("bob", "carol", required=2))
    said = given(gate, "carol", "bob")
    room = room_of(gate, a_directory(), [away("bob", "carol")])
    with pytest.raises(AlreadyDecidedError) as refused:
        check_can_decide(room, "bob", Verdict.REJECT, [said], digest=gate.digest)
    assert str(refused.value) == (
        "carol already decided for bob about approve: approve. "
        "`signoff withdraw run-1` takes it back while the gate is open."
    )
    assert of("bob", gate, decisions=(said,)).why == "carol already decided on their behalf: approve"
    assert of("carol", gate, decisions=(said,)).why == "already decided for bob: approve"


@pytest.mark.parametrize(
    ("person", "delegate", "since", "until", "words"),
    [
        ("bob", "bob", 0, WEEK, "bob cannot stand in for themselves. Name somebody else."),
        ("bob", "mallory", 0, WEEK, "mallory is not known to this server. Name somebody who can sign in."),
        ("bob", "dave", 0, WEEK, "dave does not hold the role approver, so there is nothing to stand in for."),
        ("bob", "carol", 60, 60, "The absence ends before it begins. --until is the last day, --from the first."),
        ("bob", "carol", -60, 0, "The absence is over already. Give a day that is still to come."),
        (
            "bob",
            "carol",
            0,
            60 * WEEK,
            "An absence lasts a year at most. Ask an administrator to change the approvers.",
        ),
        (
            "carol",
            "bob",
            0,
            60,
            "carol named erin already, from 2 November 2026 to 9 November 2026. End that first:",
        ),
    ],
)
def test_a_delegation_that_cannot_be_is_refused_in_words(
    person: str, delegate: str, since: float, until: float, words: str
) -> None:
    known = [away("carol", "erin")] if person == "carol" else []
    with pytest.raises(DelegationError) as refused:
        check_can_delegate(person, delegate, at(since), at(until), people=a_directory(), known=known, now=at(0))
    assert str(refused.value).startswith(words)


def test_a_delegation_holds_from_its_beginning_until_it_is_over_or_ended() -> None:
    found = away("bob", "carol", since=0, until=60)
    assert [found.covers(at(minute)) for minute in (-1, 0, 59, 60)] == [False, True, True, False]
    assert not replace(found, ended_at=at(30)).covers(at(30))


def test_a_hundred_rules_and_a_thousand_people_are_evaluated_and_explained_at_once() -> None:
    names = [f"p{n}" for n in range(1000)]
    people = Directory.of(
        [Person(n, frozenset({Role.APPROVER}), frozenset({f"g{i % 50}"})) for i, n in enumerate(names)]
    )
    rules = [a_rule(f"group:g{n % 50}", names[n], name=f"rule{n}", required=2) for n in range(100)]
    gate = a_gate(*rules)
    decisions = [a_decision(gate, name, minute=n) for n, name in enumerate(names[:150])]
    fastest = timedelta.max
    for _ in range(5):
        begun = time.perf_counter()
        evaluation = evaluate(gate, decisions, people)
        told = explain(room_of(gate, people), evaluation, decisions)
        fastest = min(fastest, timedelta(seconds=time.perf_counter() - begun))
    assert len(told.people) == 1000
    assert sum(state.missing for state in evaluation.rules) == 50
    assert gate.subject.model == MODEL
    assert fastest < timedelta(seconds=1), "a wide guard against going quadratic; benchmarks/matching.py measures it"
