"""Emergencies: who may confirm, when it is enough, and what becomes of the debt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from factories import BOB, DAVE, MODEL, a_directory, approvers, at
from signoff.domain.actor import Person, Role
from signoff.domain.deployment_errors import (
    AlreadyConfirmedError,
    BreakGlassUnsatisfiableError,
    CannotConfirmError,
    EmergencyClosedError,
    NoBreakGlassError,
)
from signoff.domain.emergency import (
    EMERGENCY_TRANSITIONS,
    IN_DEBT,
    OPEN,
    Emergency,
    EmergencyStatus,
    Outcome,
    check_can_cancel,
    check_can_confirm,
    check_can_request,
    confirmations,
    has_lapsed,
    outcome,
)
from signoff.domain.environment import BreakGlass, Environment
from signoff.domain.errors import SubjectChangedError
from signoff.domain.run import RunStatus

RULE = BreakGlass(("group:leads", "bob"))
PRODUCTION = Environment("production", break_glass=RULE)
PEOPLE = a_directory(*approvers(["frank", "grace"], "leads"))
DIGEST = "sha256:" + "a" * 64
ASKED = Emergency(
    "e1", "production", MODEL, "2", DIGEST, "v1 is down", EmergencyStatus.REQUESTED, "frank", at(0), ("frank",)
)
LIVE = replace(ASKED, status=EmergencyStatus.DEPLOYED, run_id="r1", due_at=at(60))


def test_everybody_whom_the_rule_names_by_name_or_group_may_confirm() -> None:
    state = confirmations(ASKED, RULE, PEOPLE)
    assert (state.counted, state.missing, state.candidates) == (("frank",), 1, ("bob", "grace"))
    assert state.sentence == "It takes the word of 1 more person, from bob or grace."
    assert not state.is_enough


def test_different_people_are_enough_and_one_twice_is_not() -> None:
    assert confirmations(replace(ASKED, confirmed_by=("frank", "bob")), RULE, PEOPLE).sentence == (
        "Confirmed by bob and frank."
    )
    assert confirmations(replace(ASKED, confirmed_by=("frank", "frank")), RULE, PEOPLE).missing == 1


@pytest.mark.parametrize(
    "left",
    [
        Person("frank", frozenset({Role.APPROVER})),
        Person("frank", frozenset({Role.SUBMITTER}), frozenset({"leads"})),
        Person("frank", frozenset({Role.APPROVER}), frozenset({"leads"}), is_active=False),
        Person("frank", frozenset({Role.APPROVER}), frozenset({"leads"}), models=("churn",)),
    ],
    ids=["the group", "the role", "the house", "the model"],
)
def test_who_left_counts_no_longer(left: Person) -> None:
    people = a_directory(*approvers(["grace"], "leads"), left)
    state = confirmations(replace(ASKED, confirmed_by=("frank", "grace")), RULE, people)
    assert (state.counted, state.missing) == (("grace",), 1)


def test_where_nobody_is_left_it_says_so() -> None:
    state = confirmations(ASKED, BreakGlass(("bob",)), a_directory())
    assert state.sentence == "It takes the word of 2 more people, from bob."
    gone = confirmations(ASKED, RULE, a_directory(replace(BOB, roles=frozenset())))
    assert gone.sentence == "It takes the word of 2 more people, and nobody is left who could."


def test_without_a_rule_nothing_is_deployed_without_review() -> None:
    with pytest.raises(NoBreakGlassError, match="production has no break_glass rule"):
        check_can_request(replace(PRODUCTION, break_glass=None), MODEL, PEOPLE)


def test_a_rule_that_wants_more_people_than_there_are_is_refused_at_once() -> None:
    assert check_can_request(PRODUCTION, MODEL, PEOPLE) is RULE
    greedy = replace(PRODUCTION, break_glass=replace(RULE, required_approvals=4))
    with pytest.raises(BreakGlassUnsatisfiableError, match=r"takes 4 people of group:leads, bob, and 3 may approve"):
        check_can_request(greedy, MODEL, PEOPLE)


def test_who_may_confirm_does_so_once_and_about_the_same_bytes() -> None:
    check_can_confirm(ASKED, RULE, "grace", PEOPLE, digest=DIGEST)
    with pytest.raises(AlreadyConfirmedError, match="frank has confirmed"):
        check_can_confirm(ASKED, RULE, "frank", PEOPLE, digest=DIGEST)
    with pytest.raises(SubjectChangedError, match="is not what frank asked for"):
        check_can_confirm(ASKED, RULE, "grace", PEOPLE, digest="sha256:0")
    with pytest.raises(CannotConfirmError, match="bob, frank or grace can"):
        check_can_confirm(ASKED, RULE, DAVE.name, PEOPLE, digest=DIGEST)
    with pytest.raises(CannotConfirmError, match="Nobody can at present"):
        check_can_confirm(ASKED, BreakGlass(("dave",)), DAVE.name, PEOPLE, digest=DIGEST)


@pytest.mark.parametrize("status", sorted(set(EmergencyStatus) - {EmergencyStatus.REQUESTED}))
def test_what_is_decided_is_neither_confirmed_nor_cancelled(status: EmergencyStatus) -> None:
    decided = replace(ASKED, status=status, note="it is over")
    with pytest.raises(EmergencyClosedError, match=rf"is {status} \(it is over\): it waits for nobody's word"):
        check_can_confirm(decided, RULE, "grace", PEOPLE, digest=DIGEST)
    with pytest.raises(EmergencyClosedError):
        check_can_cancel(decided, RULE, "frank", PEOPLE)


def test_who_asked_and_who_could_confirm_may_cancel_even_where_the_rule_is_gone() -> None:
    for who in ("frank", "grace", "bob"):
        check_can_cancel(ASKED, RULE, who, PEOPLE)
    check_can_cancel(ASKED, None, "frank", PEOPLE)
    with pytest.raises(CannotConfirmError, match="carol cannot cancel what frank asked for"):
        check_can_cancel(ASKED, RULE, "carol", PEOPLE)


@pytest.mark.parametrize(
    ("review", "minute", "expected"),
    [
        (RunStatus.WAITING, 59, Outcome.WAIT),
        (RunStatus.WAITING, 60, Outcome.OVERDUE),
        (RunStatus.ERRORED, 59, Outcome.WAIT),
        (RunStatus.ERRORED, 61, Outcome.OVERDUE),
        (RunStatus.SUCCEEDED, 1, Outcome.SETTLE),
        (RunStatus.SUCCEEDED, 600, Outcome.SETTLE),
        (RunStatus.REJECTED, 1, Outcome.OVERDUE),
        (RunStatus.FAILED, 1, Outcome.OVERDUE),
        (RunStatus.EXPIRED, 1, Outcome.OVERDUE),
        (RunStatus.CANCELLED, 1, Outcome.OVERDUE),
        (RunStatus.SUPERSEDED, 1, Outcome.OVERDUE),
    ],
)
def test_a_debt_is_settled_overdue_or_waits(review: RunStatus, minute: int, expected: Outcome) -> None:
    assert outcome(LIVE, review, at(minute))[0] is expected


def test_without_a_moment_no_deadline_is_judged_and_a_no_still_is() -> None:
    assert outcome(LIVE, RunStatus.WAITING, None) == (Outcome.WAIT, "")
    assert outcome(LIVE, RunStatus.REJECTED, None) == (Outcome.OVERDUE, "the after-review was rejected")


def test_what_escalated_is_only_settled_by_an_approval() -> None:
    escalated = replace(LIVE, status=EmergencyStatus.ESCALATED)
    assert outcome(escalated, RunStatus.WAITING, at(999))[0] is Outcome.WAIT
    assert outcome(escalated, RunStatus.REJECTED, at(999))[0] is Outcome.WAIT
    assert outcome(escalated, RunStatus.SUCCEEDED, at(999))[0] is Outcome.SETTLE


def test_a_request_lapses_and_a_deployment_does_not() -> None:
    hour = timedelta(hours=1)
    assert not has_lapsed(ASKED, hour, at(59.9))
    assert has_lapsed(ASKED, hour, at(60))
    assert not has_lapsed(LIVE, hour, at(600))


def test_every_debt_can_end_and_nothing_leaves_an_end() -> None:
    ends = {status for status, following in EMERGENCY_TRANSITIONS.items() if not following}
    assert ends == set(EmergencyStatus) - OPEN
    for status in OPEN:
        reached, border = {status}, [status]
        while border:
            border = [after for one in border for after in EMERGENCY_TRANSITIONS[one] if after not in reached]
            reached |= set(border)
        assert reached & ends, status
    assert IN_DEBT < OPEN
