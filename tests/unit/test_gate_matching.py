"""Who counts for which rule: the matching against trying everything, and on cases too big for that."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import a_decision, a_gate, a_rule, approvers
from signoff.domain.actor import Directory
from signoff.domain.gate import GateStatus, evaluate
from signoff.domain.matching import assign, helping, is_satisfiable
from signoff.domain.pipeline import RuleSpec

NAMES = ("ann", "ben", "bob", "carol", "dora")


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[RuleSpec], dict[str, frozenset[str]]]:
    """Up to four rules, and who may count for each."""
    eligible = draw(st.lists(st.frozensets(st.sampled_from(NAMES)), min_size=1, max_size=4))
    required = draw(st.lists(st.integers(1, 3), min_size=len(eligible), max_size=len(eligible)))
    rules = [a_rule(required=number, name=f"rule {place}") for place, number in enumerate(required)]
    return rules, {rule.name: names for rule, names in zip(rules, eligible, strict=True)}


def most(rules: Sequence[RuleSpec], eligible: Mapping[str, frozenset[str]], people: Sequence[str]) -> int:
    """How many places can be filled at most: every way to give each person one rule or none is tried."""
    best = 0
    choices = [[None, *(rule.name for rule in rules if person in eligible[rule.name])] for person in people]
    for chosen in itertools.product(*choices):
        filled = sum(min(rule.required_approvals, chosen.count(rule.name)) for rule in rules)
        best = max(best, filled)
    return best


@settings(deadline=None)
@given(cases(), st.lists(st.sampled_from(NAMES), unique=True), st.randoms(use_true_random=False))
def test_as_many_places_are_filled_as_any_choice_could_fill(
    case: tuple[list[RuleSpec], dict[str, frozenset[str]]], people: list[str], order: random.Random
) -> None:
    rules, eligible = case
    seats = assign(rules, eligible, people)
    assert len(seats) == most(rules, eligible, people)
    assert all(person in people and person in eligible[rule] for person, rule in seats.items())
    assert all(list(seats.values()).count(rule.name) <= rule.required_approvals for rule in rules)
    shuffled = order.sample(people, len(people))
    assert assign(rules, eligible, shuffled) == seats


def fills_further(
    rules: Sequence[RuleSpec],
    eligible: Mapping[str, frozenset[str]],
    people: Sequence[str],
    wanted: str,
    before: Mapping[str, int],
) -> bool:
    """Whether some way to give each person one rule or none fills `wanted` once more, and no other rule less."""
    choices = [[None, *(rule.name for rule in rules if person in eligible[rule.name])] for person in people]
    need = {rule.name: before[rule.name] + (rule.name == wanted) for rule in rules}
    return any(
        all(chosen.count(name) >= number for name, number in need.items()) for chosen in itertools.product(*choices)
    )


@settings(deadline=None)
@given(cases(), st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
def test_exactly_those_help_whose_approval_brings_a_rule_further(
    case: tuple[list[RuleSpec], dict[str, frozenset[str]]], people: list[str]
) -> None:
    rules, eligible = case
    seats = assign(rules, eligible, people)
    before = {rule.name: list(seats.values()).count(rule.name) for rule in rules}
    helpful = helping(rules, eligible, seats)
    for rule in rules:
        if before[rule.name] >= rule.required_approvals:
            assert helpful[rule.name] == eligible[rule.name]
            continue
        for person in set(NAMES) - set(people):
            helps = fills_further(rules, eligible, [*people, person], rule.name, before)
            assert (person in helpful[rule.name]) == helps


@settings(deadline=None)
@given(cases())
def test_rules_are_satisfiable_exactly_when_some_choice_satisfies_all_of_them(
    case: tuple[list[RuleSpec], dict[str, frozenset[str]]],
) -> None:
    rules, eligible = case
    wanted = sum(rule.required_approvals for rule in rules)
    unfilled = is_satisfiable(rules, eligible)
    assert (unfilled is None) == (most(rules, eligible, NAMES) == wanted)
    assert unfilled is None or unfilled in rules


@settings(deadline=None)
@given(cases(), st.lists(st.sampled_from(NAMES), unique=True))
def test_a_gate_is_approved_exactly_when_some_choice_satisfies_every_rule(
    case: tuple[list[RuleSpec], dict[str, frozenset[str]]], people: list[str]
) -> None:
    named, eligible = case
    rules = [
        RuleSpec(rule.name, tuple(sorted(eligible[rule.name])), rule.required_approvals, allow_policy=False)
        for rule in named
    ]
    gate = a_gate(*rules, excluded=())
    given_ = [a_decision(gate, name, minute=minute) for minute, name in enumerate(people)]
    found = evaluate(gate, given_, Directory.of(approvers(NAMES)))
    wanted = sum(rule.required_approvals for rule in rules)
    assert (found.status is GateStatus.APPROVED) == (most(rules, eligible, people) == wanted)


said = st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.sampled_from(NAMES)), max_size=6)


@settings(max_examples=300)
@given(cases(), said)
def test_who_speaks_for_themselves_and_for_others_is_counted_once_and_where_it_helps_most(
    case: tuple[list[RuleSpec], dict[str, frozenset[str]]], given_by: list[tuple[str, str | None]]
) -> None:
    demanded = [replace(rule, approvers=tuple(sorted(case[1][rule.name])) or ("zoe",)) for rule in case[0]]
    gate = a_gate(a_rule("zoe"), environment_rules=tuple(demanded))
    earlier = [
        replace(a_decision(gate, by, minute=minute), on_behalf_of=None if absent == by else absent)
        for minute, (by, absent) in enumerate(given_by)
    ]
    found = evaluate(gate, [], Directory.of(approvers([*NAMES, "zoe"])), earlier=earlier)
    counted = [name for state in found.rules if state.is_environment for name in state.counted]
    assert len(counted) == len(set(counted))
    best = 0
    for size in range(len(earlier) + 1):
        for some in itertools.combinations(earlier, size):
            humans = [name for decision in some for name in {decision.by, decision.counts_as}]
            if len(humans) == len(set(humans)):
                able = {rule.name: frozenset(rule.approvers) for rule in demanded}
                best = max(best, most(demanded, able, [decision.counts_as for decision in some]))
    assert len(counted) == best


def test_an_approval_for_somebody_does_not_stand_in_the_way_of_two_who_approve_themselves() -> None:
    gate = a_gate(a_rule("bob", "carol", required=2), environment_rules=(a_rule("bob", "carol", required=2),))
    before = replace(a_decision(a_gate(step="first"), "bob", minute=1), on_behalf_of="carol")
    given_now = [a_decision(gate, "bob", minute=2), a_decision(gate, "carol", minute=3)]
    found = evaluate(gate, given_now, Directory.of(approvers(["bob", "carol"])), earlier=[before])
    assert found.status is GateStatus.APPROVED


def test_a_rule_that_asks_for_more_people_than_it_names_is_told() -> None:
    greedy = a_rule("bob", "carol", required=3, name="three of two")
    assert is_satisfiable([greedy], {greedy.name: frozenset(greedy.approvers)}) is greedy


def test_rules_that_compete_for_one_person_are_told() -> None:
    rules = [a_rule("bob", name="risk"), a_rule("bob", name="product")]
    assert is_satisfiable(rules, {rule.name: frozenset({"bob"}) for rule in rules}) in rules


def test_no_rules_are_satisfied_by_nobody() -> None:
    assert is_satisfiable([], {}) is None
    assert assign([], {}, ["bob"]) == {}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("shape", ["staircase", "one crowd", "too few"])
def test_a_hundred_rules_and_a_thousand_people_are_matched(shape: str) -> None:
    people = [f"p{number:03}" for number in range(1000)]
    places = 12 if shape == "too few" else 10
    rules = [a_rule(required=places, name=f"rule {number:02}") for number in reversed(range(100))]
    eligible = {rule.name: frozenset(people) for rule in rules}
    if shape == "staircase":
        # Rule 0 needs all of the first ten people, so rule 1 all of the next ten, and so on: there is one solution.
        eligible = {
            f"rule {number:02}": frozenset(people[max(0, 10 * (number - 4)) : 10 * (number + 1)])
            for number in range(100)
        }
    assert len(assign(rules, eligible, people)) == 1000
