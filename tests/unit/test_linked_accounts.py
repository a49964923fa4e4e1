"""Two accounts of one human being are one person wherever people are counted."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from factories import MODEL, NOON, a_decision, a_directory, a_gate, a_rule, approvers
from signoff.domain.absence import check_can_delegate
from signoff.domain.actor import Directory
from signoff.domain.deciding import check_can_decide
from signoff.domain.deployment_errors import AlreadyConfirmedError, BreakGlassUnsatisfiableError
from signoff.domain.emergency import Emergency, EmergencyStatus, check_can_confirm, check_can_request, confirmations
from signoff.domain.environment import BreakGlass, DeployerSpec, Environment
from signoff.domain.errors import AlreadyDecidedError, CannotDecideError, DelegationError
from signoff.domain.gate import GateStatus, Verdict, evaluate
from signoff.domain.satisfiability import unfillable
from signoff.domain.standing import room_of, standing

TWO = a_rule("group:risk", "bob2", required=2, name="risk")


def people(*linked: tuple[str, ...]) -> Directory:
    """The cast, a second account of bob's and one of alice's, linked as said."""
    known = a_directory(*approvers(["bob2", "alice2"], "risk"))
    return replace(known, linked=tuple(sorted(tuple(sorted(accounts)) for accounts in linked)))


def test_a_second_account_of_the_submitter_does_not_approve() -> None:
    gate = a_gate(a_rule("alice2", "bob", name="any"), excluded=("alice",))
    apart, one = people(), people(("alice", "alice2"))
    said = [a_decision(gate, "alice2")]
    assert evaluate(gate, said, apart).status is GateStatus.APPROVED
    assert evaluate(gate, said, one).status is GateStatus.OPEN
    room = room_of(gate, one)
    with pytest.raises(CannotDecideError) as refused:
        check_can_decide(room, "alice2", Verdict.APPROVE, [], digest=gate.digest)
    assert refused.value.what == (
        f"alice2 cannot decide about {gate.step}: alice2 is another account of alice, who submitted or contributed to "
        "this version, and the gate does not allow self-approval."
    )
    assert refused.value.hint == "bob can."
    assert not standing(room, "alice2", []).can_decide


def test_two_accounts_of_one_approver_count_once() -> None:
    gate = a_gate(TWO)
    both = [a_decision(gate, "bob"), a_decision(gate, "bob2", minute=2)]
    assert evaluate(gate, both, people()).status is GateStatus.APPROVED
    found = evaluate(gate, both, people(("bob", "bob2")))
    assert (found.status, found.rules[0].counted, found.rules[0].missing) == (GateStatus.OPEN, ("bob",), 1)
    assert found.rules[0].candidates == ("alice2", "carol")


def test_who_approved_under_two_accounts_fills_one_rule_that_either_may() -> None:
    gate = a_gate(a_rule("bob", name="first"), a_rule("bob2", name="second"), a_rule("carol", "bob", name="third"))
    for order in itertools.permutations(["bob", "bob2", "carol"]):
        given = [a_decision(gate, name, minute=minute) for minute, name in enumerate(order)]
        assert evaluate(gate, given, people()).status is GateStatus.APPROVED
        found = evaluate(gate, given, people(("bob", "bob2")))
        assert found.status is GateStatus.OPEN
        assert sum(len(state.counted) for state in found.rules) == 2
    only = a_gate(a_rule("bob2", name="second"))
    given = [a_decision(only, "bob"), a_decision(only, "bob2", minute=2)]
    assert evaluate(only, given, people(("bob", "bob2"))).status is GateStatus.APPROVED


def test_who_decided_under_one_account_does_not_decide_under_another() -> None:
    gate = a_gate(TWO)
    one = people(("bob", "bob2"))
    said = [a_decision(gate, "bob")]
    with pytest.raises(AlreadyDecidedError, match="bob already decided about"):
        check_can_decide(room_of(gate, one), "bob2", Verdict.APPROVE, said, digest=gate.digest)
    assert standing(room_of(gate, one), "bob2", said).why == "already decided as bob: approve"
    check_can_decide(room_of(gate, people()), "bob2", Verdict.APPROVE, said, digest=gate.digest)


def test_a_rule_that_only_two_accounts_of_one_person_could_fill_never_can_be() -> None:
    gate = a_gate(a_rule("bob", "bob2", required=2, name="risk"))
    assert unfillable(gate, people()) is None
    assert unfillable(gate, people(("bob", "bob2"))) == gate.rules[0]


def test_nobody_stands_in_for_themselves_under_another_account() -> None:
    end = NOON.replace(year=NOON.year + 1, day=1)
    check_can_delegate("bob", "bob2", NOON, end, people=people(), known=[], now=NOON)
    with pytest.raises(DelegationError, match="bob cannot stand in for themselves"):
        check_can_delegate("bob", "bob2", NOON, end, people=people(("bob", "bob2")), known=[], now=NOON)


def test_the_glass_is_not_broken_by_one_person_with_two_accounts() -> None:
    rule = BreakGlass(("bob", "bob2", "carol"), 2)
    one = people(("bob", "bob2"))
    asked = Emergency(
        "e1", "production", MODEL, "1", "sha256:x", "why", EmergencyStatus.REQUESTED, "bob", NOON, ("bob",)
    )
    with pytest.raises(AlreadyConfirmedError, match="bob has confirmed"):
        check_can_confirm(asked, rule, "bob2", one, digest="sha256:x")
    assert confirmations(replace(asked, confirmed_by=("bob", "bob2")), rule, one).missing == 1
    assert confirmations(asked, rule, one).candidates == ("carol",)
    place = Environment("production", DeployerSpec("alias", "champion"), break_glass=BreakGlass(("bob", "bob2"), 2))
    check_can_request(place, MODEL, people())
    with pytest.raises(BreakGlassUnsatisfiableError, match="and 1 may approve"):
        check_can_request(place, MODEL, one)
