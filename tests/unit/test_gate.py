"""When sign-offs suffice: the rules of a gate, one test each, in the words of the rules."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from factories import a_decision, a_directory, a_gate, a_rule, a_subject, approvers
from signoff.domain.actor import Directory, Person, Role
from signoff.domain.gate import (
    GATE_TRANSITIONS,
    POLICY_PREFIX,
    GateStatus,
    Subject,
    Verdict,
    counting,
    deciders,
    evaluate,
)

POLICY = POLICY_PREFIX + "sha256:abc"
BOTH = a_rule("group:risk", required=2, name="risk")


def test_a_gate_waits_until_its_rule_is_satisfied() -> None:
    gate = a_gate(BOTH)
    people = a_directory()
    nobody = evaluate(gate, [], people)
    assert (nobody.status, nobody.rules[0].missing, nobody.rules[0].candidates) == (
        GateStatus.OPEN,
        2,
        ("bob", "carol"),
    )
    one = evaluate(gate, [a_decision(gate, "bob")], people)
    assert (one.status, one.rules[0].counted, one.rules[0].candidates) == (GateStatus.OPEN, ("bob",), ("carol",))
    last = a_decision(gate, "carol", minute=2)
    both = evaluate(gate, [a_decision(gate, "bob"), last], people)
    assert (both.status, both.rules[0].missing, both.closed_by) == (GateStatus.APPROVED, 0, last)


def test_the_order_of_arrival_never_matters() -> None:
    gate = a_gate(
        a_rule("ann", "ben", name="first"), a_rule("ann", name="second"), a_rule("group:risk", required=2, name="third")
    )
    people = a_directory(*approvers(["ann", "ben"]))
    names = ["ann", "ben", "bob", "carol"]
    outcomes = set()
    for order in itertools.permutations(names):
        given = [a_decision(gate, name, minute=minute) for minute, name in enumerate(order)]
        found = evaluate(gate, given, people)
        outcomes.add((found.status, *(state.counted for state in found.rules)))
    assert outcomes == {(GateStatus.APPROVED, ("ben",), ("ann",), ("bob", "carol"))}


def test_one_person_counts_for_one_rule() -> None:
    gate = a_gate(a_rule("bob", "carol", name="risk"), a_rule("bob", name="product"))
    people = a_directory()
    alone = evaluate(gate, [a_decision(gate, "bob")], people)
    assert alone.status is GateStatus.OPEN
    assert sum(len(state.counted) for state in alone.rules) == 1
    both = evaluate(gate, [a_decision(gate, "bob"), a_decision(gate, "carol")], people)
    assert [state.counted for state in both.rules] == [("carol",), ("bob",)]


def test_one_person_counts_once_however_often_they_approve() -> None:
    gate = a_gate(BOTH)
    twice = [a_decision(gate, "bob", minute=1), a_decision(gate, "bob", minute=2)]
    assert evaluate(gate, twice, a_directory()).status is GateStatus.OPEN


@pytest.mark.parametrize("first", ["carol", "bob"])
def test_a_greedy_choice_would_wait_for_ever_where_matching_does_not(first: str) -> None:
    # Whoever comes first fits `any`; taking bob for it would leave `only bob` without anybody.
    gate = a_gate(a_rule("bob", "carol", name="any"), a_rule("bob", name="only bob"))
    second = "bob" if first == "carol" else "carol"
    given = [a_decision(gate, first, minute=1), a_decision(gate, second, minute=2)]
    assert evaluate(gate, given, a_directory()).status is GateStatus.APPROVED


def test_people_move_along_a_whole_chain_of_rules_to_make_room() -> None:
    people = a_directory(*approvers(["p1", "p2", "p3", "p4"]))
    gate = a_gate(
        a_rule("p1", "p2", name="a"), a_rule("p2", "p3", name="b"), a_rule("p3", "p4", name="c"), a_rule("p1", name="d")
    )
    given = [a_decision(gate, name, minute=minute) for minute, name in enumerate(["p1", "p2", "p3", "p4"])]
    found = evaluate(gate, given, people)
    assert [state.counted for state in found.rules] == [("p2",), ("p3",), ("p4",), ("p1",)]


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Verdict.REJECT, GateStatus.REJECTED), (Verdict.REQUEST_CHANGES, GateStatus.CHANGES_REQUESTED)],
)
def test_the_first_no_closes_the_gate_whatever_else_was_said(verdict: Verdict, status: GateStatus) -> None:
    gate = a_gate(BOTH)
    no = a_decision(gate, "carol", verdict, minute=1)
    for minute in (0, 2):
        found = evaluate(gate, [a_decision(gate, "bob", minute=minute), no], a_directory())
        assert (found.status, found.closed_by) == (status, no)


def test_of_two_noes_the_earlier_one_names_the_outcome() -> None:
    gate = a_gate(BOTH)
    changes = a_decision(gate, "bob", Verdict.REQUEST_CHANGES, minute=1)
    reject = a_decision(gate, "carol", Verdict.REJECT, minute=2)
    for given in ([changes, reject], [reject, changes]):
        assert evaluate(gate, given, a_directory()).status is GateStatus.CHANGES_REQUESTED


@pytest.mark.parametrize("by", ["dave", "alice", "erin", "nobody"])
def test_a_no_of_somebody_who_may_not_decide_closes_nothing(by: str) -> None:
    gate = a_gate(a_rule("group:risk", "alice"))
    found = evaluate(gate, [a_decision(gate, by, Verdict.REJECT)], a_directory())
    assert (found.status, found.closed_by) == (GateStatus.OPEN, None)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_withdrawn_decision_does_not_count(verdict: Verdict) -> None:
    gate = a_gate()
    assert (
        evaluate(gate, [a_decision(gate, "bob", verdict, is_withdrawn=True)], a_directory()).status is GateStatus.OPEN
    )


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_decision_about_another_subject_does_not_count(verdict: Verdict) -> None:
    gate = a_gate()
    other = replace(gate.subject, manifest_digest="sha256:other").digest
    assert evaluate(gate, [a_decision(gate, "bob", verdict, digest=other)], a_directory()).status is GateStatus.OPEN


def test_after_a_withdrawal_the_next_decision_counts() -> None:
    gate = a_gate()
    given = [a_decision(gate, "bob", Verdict.REJECT, is_withdrawn=True), a_decision(gate, "bob", minute=2)]
    assert evaluate(gate, given, a_directory()).status is GateStatus.APPROVED


def test_a_policy_satisfies_only_the_rules_that_allow_it() -> None:
    gate = a_gate(a_rule("bob", name="any"), a_rule("carol", name="people only", allow_policy=False))
    policy = a_decision(gate, POLICY)
    found = evaluate(gate, [policy], a_directory())
    assert [state.counted for state in found.rules] == [(POLICY,), ()]
    assert found.status is GateStatus.OPEN
    assert evaluate(gate, [policy, a_decision(gate, "carol")], a_directory()).status is GateStatus.APPROVED


def test_a_policy_fills_every_place_of_a_rule_that_allows_it() -> None:
    gate = a_gate(BOTH)
    found = evaluate(gate, [a_decision(gate, POLICY)], a_directory())
    assert (found.status, found.rules[0].counted) == (GateStatus.APPROVED, (POLICY, POLICY))


def test_people_whom_a_policy_made_unnecessary_are_free_for_other_rules() -> None:
    gate = a_gate(a_rule("bob", name="any"), a_rule("bob", name="people only", allow_policy=False))
    given = [a_decision(gate, POLICY), a_decision(gate, "bob")]
    assert evaluate(gate, given, a_directory()).status is GateStatus.APPROVED


def test_a_policy_about_another_subject_does_not_count() -> None:
    gate = a_gate()
    assert evaluate(gate, [a_decision(gate, POLICY, digest="sha256:old")], a_directory()).status is GateStatus.OPEN


def test_the_environments_rules_are_matched_apart() -> None:
    # bob counts for the pipeline's rule and for the environment's: it repeats what was asked, it does not add people.
    gate = a_gate(a_rule("bob", name="ours"), environment_rules=(a_rule("group:risk", name="theirs"),))
    found = evaluate(gate, [a_decision(gate, "bob")], a_directory())
    assert found.status is GateStatus.APPROVED
    assert [(s.rule.name, s.counted, s.is_environment) for s in found.rules] == [
        ("ours", ("bob",), False),
        ("theirs", ("bob",), True),
    ]


def test_an_environments_rule_must_hold_beside_the_pipelines() -> None:
    gate = a_gate(a_rule("bob"), environment_rules=(BOTH,))
    assert evaluate(gate, [a_decision(gate, "bob")], a_directory()).status is GateStatus.OPEN


def test_rules_of_one_name_in_the_two_sets_stay_apart() -> None:
    gate = a_gate(a_rule("bob", name="risk"), environment_rules=(a_rule("carol", name="risk"),))
    found = evaluate(gate, [a_decision(gate, "bob")], a_directory())
    assert [state.counted for state in found.rules] == [("bob",), ()]
    assert found.status is GateStatus.OPEN


def test_earlier_approvals_count_for_the_environments_rules_only() -> None:
    before = a_gate(a_rule("bob"), step="first")
    earlier = [a_decision(before, "bob")]
    gate = a_gate(a_rule("carol"), environment_rules=(BOTH,))
    assert evaluate(gate, [a_decision(gate, "carol")], a_directory(), earlier=earlier).status is GateStatus.APPROVED
    same = a_gate(a_rule("bob"), environment_rules=(a_rule("bob"),))
    found = evaluate(same, [], a_directory(), earlier=earlier)
    assert [state.missing for state in found.rules] == [1, 0]
    assert found.status is GateStatus.OPEN


@pytest.mark.parametrize("kind", ["withdrawn", "a no"])
def test_of_earlier_decisions_only_standing_approvals_count(kind: str) -> None:
    before = a_gate(a_rule("bob"), step="first")
    verdict = Verdict.REJECT if kind == "a no" else Verdict.APPROVE
    earlier = [a_decision(before, "bob", verdict, is_withdrawn=kind == "withdrawn")]
    gate = a_gate(a_rule("carol"), environment_rules=(a_rule("bob"),))
    found = evaluate(gate, [a_decision(gate, "carol")], a_directory(), earlier=earlier)
    assert (found.status, found.rules[1].missing) == (GateStatus.OPEN, 1)


def test_people_who_contributed_do_not_count_and_close_nothing() -> None:
    gate = a_gate(a_rule("bob", "carol", required=2), excluded=("bob",))
    assert deciders(gate, a_directory()) == {"carol"}
    found = evaluate(gate, [a_decision(gate, "bob"), a_decision(gate, "carol")], a_directory())
    assert (found.status, found.rules[0].counted, found.rules[0].candidates) == (GateStatus.OPEN, ("carol",), ())
    assert evaluate(gate, [a_decision(gate, "bob", Verdict.REJECT)], a_directory()).status is GateStatus.OPEN


def test_an_excluded_person_does_not_count_for_the_environment_either() -> None:
    gate = a_gate(a_rule("carol"), environment_rules=(a_rule("bob"),), excluded=("bob",))
    before = a_gate(a_rule("bob"), step="first", excluded=())
    given = [a_decision(gate, "carol"), a_decision(gate, "bob")]
    assert evaluate(gate, given, a_directory(), earlier=[a_decision(before, "bob")]).status is GateStatus.OPEN


def test_the_submitter_counts_where_self_approval_is_allowed() -> None:
    alice = Person("alice", frozenset({Role.SUBMITTER, Role.APPROVER}))
    gate = a_gate(a_rule("alice"), excluded=())
    assert evaluate(gate, [a_decision(gate, "alice")], a_directory(alice)).status is GateStatus.APPROVED
    strict = replace(gate, excluded=("alice",))
    assert evaluate(strict, [a_decision(strict, "alice")], a_directory(alice)).status is GateStatus.OPEN


def test_no_pipeline_lets_the_submitter_count_for_the_environment() -> None:
    alice = Person("alice", frozenset({Role.SUBMITTER, Role.APPROVER}))
    gate = a_gate(a_rule("alice"), environment_rules=(a_rule("alice", "bob", name="risk"),), excluded=())
    people = a_directory(alice)
    found = evaluate(gate, [a_decision(gate, "alice")], people)
    assert found.status is GateStatus.OPEN
    assert [(state.counted, state.candidates) for state in found.rules] == [(("alice",), ()), ((), ("bob",))]
    assert evaluate(gate, [a_decision(gate, "alice"), a_decision(gate, "bob")], people).status is GateStatus.APPROVED
    before = a_gate(a_rule("alice"), step="first", excluded=())
    assert evaluate(gate, [a_decision(gate, "alice")], people, earlier=[a_decision(before, "alice")]) == found


def test_no_pipeline_lets_a_contributor_stand_in_for_the_environments_approver() -> None:
    alice = Person("alice", frozenset({Role.SUBMITTER, Role.APPROVER}))
    gate = a_gate(a_rule("bob"), environment_rules=(a_rule("bob", name="risk"),), excluded=())
    given = replace(a_decision(gate, "alice"), on_behalf_of="bob")
    assert evaluate(gate, [given], a_directory(alice)).status is GateStatus.OPEN
    assert evaluate(replace(gate, contributors=("erin",)), [given], a_directory(alice)).status is GateStatus.APPROVED


@pytest.mark.parametrize(
    "bob",
    [
        Person("bob", frozenset({Role.APPROVER}), frozenset({"platform"})),
        Person("bob", frozenset({Role.APPROVER}), frozenset({"risk"}), is_active=False),
        Person("bob", frozenset({Role.SUBMITTER}), frozenset({"risk"})),
        Person("bob", frozenset({Role.APPROVER}), frozenset({"risk"}), ("churn-*",)),
    ],
    ids=["left the group", "was deactivated", "lost the role", "covers other models"],
)
def test_somebody_who_may_no_longer_decide_no_longer_counts(bob: Person) -> None:
    gate = a_gate(a_rule("group:risk"))
    given = [a_decision(gate, "bob")]
    assert evaluate(gate, given, a_directory()).status is GateStatus.APPROVED
    assert evaluate(gate, given, a_directory(bob)).status is GateStatus.OPEN
    assert "bob" not in counting(gate, gate.rules[0], a_directory(bob))


def test_the_no_of_somebody_who_left_closes_nothing() -> None:
    gate = a_gate(a_rule("group:risk"))
    bob = Person("bob", frozenset({Role.APPROVER}))
    given = [a_decision(gate, "bob", Verdict.REJECT), a_decision(gate, "carol", minute=2)]
    assert evaluate(gate, given, a_directory(bob)).status is GateStatus.APPROVED


def test_a_person_named_like_a_group_does_not_count_for_it() -> None:
    impostor = Person("group:risk", frozenset({Role.APPROVER}))
    gate = a_gate(a_rule("group:risk"))
    assert deciders(gate, a_directory(impostor)) == {"bob", "carol"}


def test_a_group_that_nobody_is_in_has_no_deciders() -> None:
    gate = a_gate(a_rule("group:empty"))
    assert deciders(gate, Directory.of(approvers(["bob"]), ["empty"])) == frozenset()


def test_a_gate_without_rules_is_never_approved() -> None:
    gate = replace(a_gate(), rules=())
    assert evaluate(gate, [a_decision(gate, POLICY)], a_directory()).status is GateStatus.OPEN


def test_every_status_of_a_gate_has_its_transitions_and_only_an_open_gate_is_decided() -> None:
    assert GATE_TRANSITIONS.keys() == set(GateStatus)
    decided = {GateStatus.APPROVED, GateStatus.REJECTED, GateStatus.CHANGES_REQUESTED}
    assert {s for s, following in GATE_TRANSITIONS.items() if following & decided} == {GateStatus.OPEN}


OTHERS: dict[str, Any] = {
    "model": "churn",
    "version": "2",
    "manifest_digest": "sha256:other",
    "evidence_digests": ("sha256:e",),
    "pipeline_digest": "sha256:other",
    "environment": "staging",
    "attempt": 2,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Subject)])
def test_the_digest_signed_and_the_difference_told_cover_every_field(name: str) -> None:
    subject = a_subject(environment="production")
    other = replace(subject, **{name: OTHERS[name]})
    assert subject.digest != other.digest
    assert len(subject.difference(other)) == 1
    assert subject.difference(subject) == ()
    assert subject.digest == replace(other, **{name: getattr(subject, name)}).digest


def test_the_order_of_evidence_is_part_of_the_subject() -> None:
    subject = replace(a_subject(), evidence_digests=("sha256:a", "sha256:b"))
    assert subject.digest != replace(subject, evidence_digests=("sha256:b", "sha256:a")).digest


class CountedPeople(dict[str, Person]):
    """People who know how often somebody walked through all of them."""

    walks = 0

    def values(self) -> Any:
        self.walks += 1
        return super().values()

    def __iter__(self) -> Iterator[str]:
        self.walks += 1
        return super().__iter__()


@pytest.mark.parametrize("rules", [1, 100])
def test_everybody_is_looked_at_once_however_many_rules_there_are(rules: int) -> None:
    known: Mapping[str, Person] = CountedPeople({p.name: p for p in approvers(["p1", "p2"], "all")})
    gate = a_gate(*(a_rule("group:all", "p1", name=f"rule {number}") for number in range(rules)))
    evaluate(gate, [a_decision(gate, "p1")], Directory(known, frozenset({"all"})))
    assert isinstance(known, CountedPeople)
    assert known.walks == 1
