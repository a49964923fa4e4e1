"""Deadlines of a gate: what it opens with, what is due when, the rhythm of reminders, and which clock is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOON, a_decision, a_directory, a_gate, a_rule, an_approval, approvers, at
from signoff.domain.actor import Person, Role
from signoff.domain.deadlines import Due, due, is_past, next_reminder, opening, said, stands_until, why_not_act
from signoff.domain.explanation import explain
from signoff.domain.gate import Gate, GateStatus, deciders, evaluate
from signoff.domain.pipeline import OnTimeout
from signoff.domain.standing import room_of

DAY = timedelta(days=1)
DANA = Person("dana", frozenset({Role.APPROVER}), frozenset({"leads"}))
PEOPLE = a_directory(DANA)
WAITING = replace(a_gate(a_rule("group:risk", name="risk")), expires_at=NOON + 3 * DAY)
ESCALATING = replace(WAITING, on_timeout=OnTimeout.ESCALATE, escalate_to=("group:leads",))


def sentence(gate: Gate, *decided: str) -> str:
    decisions = [a_decision(gate, name) for name in decided]
    return explain(room_of(gate, PEOPLE), evaluate(gate, decisions, PEOPLE), decisions).sentence


def test_a_gate_opens_with_the_deadlines_that_its_step_asks_for() -> None:
    step = replace(an_approval(), timeout=3 * DAY, remind_every=DAY)
    assert opening(step, NOON) == (NOON + 3 * DAY, NOON + DAY)
    assert opening(an_approval(), NOON) == (None, None)


def test_a_deadline_is_so_much_elapsed_time_whatever_daylight_saving_does() -> None:
    zone = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 24, 9, 0, tzinfo=zone)  # the clocks go back that night: 25 hours to the same o'clock
    expires_at = opening(replace(an_approval(), timeout=DAY), before.astimezone(UTC)).expires_at
    assert expires_at is not None
    assert expires_at.astimezone(zone) == datetime(2026, 10, 25, 8, 0, tzinfo=zone)
    gate = replace(WAITING, expires_at=expires_at)
    assert due(gate, (before.astimezone(UTC) + timedelta(hours=23, minutes=59))) == ()
    assert due(gate, (before.astimezone(UTC) + timedelta(hours=24))) == (Due.EXPIRE,)


@pytest.mark.parametrize(
    ("gate", "days", "expected"),
    [
        (a_gate(), 10_000, ()),
        (WAITING, 2.99, ()),
        (WAITING, 3, (Due.EXPIRE,)),
        (ESCALATING, 3, (Due.ESCALATE,)),
        (replace(ESCALATING, escalated_at=NOON + 3 * DAY), 300, ()),
        (replace(WAITING, remind_at=NOON + DAY), 1, (Due.REMIND,)),
        (replace(WAITING, remind_at=NOON + DAY), 4, (Due.EXPIRE,)),
        (replace(ESCALATING, remind_at=NOON + DAY), 4, (Due.ESCALATE, Due.REMIND)),
        (replace(WAITING, status=GateStatus.REJECTED, remind_at=NOON), 4, ()),
        (replace(WAITING, status=GateStatus.EXPIRED), 4, ()),
        (replace(WAITING, status=GateStatus.APPROVED), 4, ()),
        (replace(WAITING, status=GateStatus.APPROVED, valid_until=NOON + 90 * DAY), 89, ()),
        (replace(WAITING, status=GateStatus.APPROVED, valid_until=NOON + 90 * DAY), 90, (Due.LAPSE,)),
        (replace(WAITING, status=GateStatus.APPROVED, valid_until=NOON, lapsed_at=NOON), 90, ()),
        (replace(WAITING, status=GateStatus.VOID, valid_until=NOON), 90, ()),
    ],
)
def test_what_is_due(gate: Gate, days: float, expected: tuple[Due, ...]) -> None:
    assert due(gate, NOON + days * DAY) == expected


def test_an_approval_stands_as_long_as_its_step_says_and_a_no_does_not() -> None:
    gate = replace(a_gate(), valid_for=90 * DAY)
    assert stands_until(gate, GateStatus.APPROVED, NOON) == NOON + 90 * DAY
    assert stands_until(gate, GateStatus.REJECTED, NOON) is None
    assert stands_until(a_gate(), GateStatus.APPROVED, NOON) is None
    assert is_past(replace(gate, valid_until=NOON), NOON)
    assert not is_past(replace(gate, valid_until=at(1)), NOON)


@given(
    every=st.timedeltas(min_value=timedelta(seconds=1), max_value=30 * DAY),
    late=st.timedeltas(min_value=timedelta(), max_value=1000 * DAY),
)
def test_reminders_keep_their_rhythm_and_missed_ones_are_not_made_up_for(every: timedelta, late: timedelta) -> None:
    gate = replace(a_gate(), remind_every=every, remind_at=NOON + every)
    now = NOON + every + late
    following = next_reminder(gate, now)
    assert following is not None
    assert now < following <= now + every
    assert (following - NOON) % every == timedelta()


def test_a_gate_without_reminders_has_no_next_one() -> None:
    assert next_reminder(a_gate(), NOON) is None


def test_a_clock_that_goes_with_the_database_and_has_just_looked_is_believed() -> None:
    assert why_not_act(at(1), at(1), NOON) is None
    assert why_not_act(at(1.9), at(1), NOON) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "former", "why"),
    [
        (at(3), at(1), NOON, "this clock says 2 November 2026 12:03 UTC, the database's 2 November 2026 12:01 UTC"),
        (at(1), at(3), at(2), "this clock says 2 November 2026 12:01 UTC, the database's 2 November 2026 12:03 UTC"),
        (at(1), at(1), None, "this is the first tick"),
        (at(1), at(1), at(2), "the clock went back: the tick before was at 2 November 2026 12:02 UTC"),
        (at(6), at(6), at(0), "the tick before was long ago, at 2 November 2026 12:00 UTC"),
    ],
)
def test_a_clock_that_may_have_jumped_is_not_believed_at_once(
    mine: datetime, theirs: datetime, former: datetime | None, why: str
) -> None:
    assert why_not_act(mine, theirs, former) == why


@given(st.lists(st.timedeltas(min_value=timedelta(minutes=-10), max_value=timedelta(minutes=10)), max_size=20))
def test_whatever_a_clock_does_it_is_believed_only_after_a_former_tick_of_the_last_minutes(
    jumps: list[timedelta],
) -> None:
    moments = [NOON]
    for jump in jumps:
        moments.append(moments[-1] + jump)
    for former, now in pairwise(moments):
        is_believed = why_not_act(now, now, former) is None
        assert is_believed == (timedelta() <= now - former <= timedelta(minutes=5))


def test_a_moment_is_said_in_utc_with_the_year_where_it_is_another() -> None:
    late = datetime(2026, 11, 24, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert said(late, NOON) == "24 November 09:00 UTC"
    assert said(late) == "24 November 2026 09:00 UTC"
    assert said(late + 60 * DAY, NOON) == "23 January 2027 09:00 UTC"


def test_until_it_is_escalated_only_the_rule_s_own_people_count() -> None:
    assert deciders(ESCALATING, PEOPLE) == {"bob", "carol"}
    assert evaluate(ESCALATING, [a_decision(ESCALATING, "dana")], PEOPLE).status is GateStatus.OPEN


def test_once_it_is_escalated_the_others_count_for_every_rule_of_the_pipeline() -> None:
    gate = replace(ESCALATING, rules=(a_rule("bob", name="risk"), a_rule("carol", name="product")), escalated_at=NOON)
    assert deciders(gate, PEOPLE) == {"bob", "carol", "dana"}
    for named in ("bob", "carol"):
        decisions = [a_decision(gate, named), a_decision(gate, "dana")]
        assert evaluate(gate, decisions, PEOPLE).status is GateStatus.APPROVED
    assert evaluate(gate, [a_decision(gate, "dana")], PEOPLE).status is GateStatus.OPEN


def test_an_escalation_never_reaches_the_environment_s_rules() -> None:
    gate = replace(ESCALATING, environment_rules=(a_rule("carol", name="guard"),), escalated_at=NOON)
    found = evaluate(gate, [a_decision(gate, "dana")], PEOPLE)
    assert [(state.rule.name, state.missing) for state in found.rules] == [("risk", 0), ("guard", 1)]
    same = replace(gate, rules=gate.environment_rules)
    assert [state.missing for state in evaluate(same, [a_decision(same, "dana")], PEOPLE).rules] == [0, 1]


def test_an_escalation_asks_nobody_who_is_excluded() -> None:
    gate = replace(ESCALATING, escalated_at=NOON, excluded=("dana",))
    assert deciders(gate, PEOPLE) == {"bob", "carol"}


def test_one_who_is_asked_twice_over_still_counts_once() -> None:
    gate = replace(ESCALATING, rules=(a_rule("bob", "carol", required=2, name="risk"),), escalate_to=("bob",))
    escalated = replace(gate, escalated_at=NOON)
    found = evaluate(escalated, [a_decision(escalated, "bob")], PEOPLE)
    assert (found.status, found.rules[0].missing) == (GateStatus.OPEN, 1)
    assert escalated.present_rules[0].approvers == ("bob", "carol")


def test_the_sentence_says_until_when_and_what_comes_then() -> None:
    assert sentence(WAITING) == (
        "approve waits for 1 more approval for risk, from bob or carol, "
        "until 5 November 12:00 UTC; then the run expires."
    )
    assert sentence(ESCALATING) == (
        "approve waits for 1 more approval for risk, from bob or carol, until 5 November 12:00 UTC; "
        "then dana is asked too."
    )
    assert sentence(replace(ESCALATING, escalated_at=NOON + 3 * DAY)) == (
        "approve waits for 1 more approval for risk, from bob, carol or dana; "
        "it was not decided by 5 November 12:00 UTC, so dana is asked too."
    )
    two = replace(ESCALATING, escalate_to=("group:leads", "group:board"))
    others = a_directory(DANA, *approvers(["erik"], "board"))
    assert "then dana and erik are asked too" in explain(room_of(two, others), evaluate(two, [], others), []).sentence
    nobody = replace(ESCALATING, escalate_to=("group:nobody",))
    assert "then group:nobody is asked too" in sentence(nobody)


def test_the_sentence_of_a_closed_gate_says_until_when_it_stands_or_that_nobody_answered() -> None:
    approved = replace(WAITING, status=GateStatus.APPROVED)
    assert sentence(approved) == "approve is approved."
    lasting = replace(approved, valid_until=NOON + 90 * DAY)
    assert sentence(lasting) == "approve is approved until 31 January 2027 12:00 UTC."
    assert sentence(replace(lasting, lapsed_at=NOON)) == (
        "approve was approved, until 31 January 2027 12:00 UTC: the approval has expired."
    )
    assert sentence(replace(WAITING, status=GateStatus.EXPIRED)) == (
        "approve expired: nobody answered in time, by 5 November 12:00 UTC."
    )
