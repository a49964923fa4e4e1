"""Freeze windows, break-glass and the counts of an environments file: read exactly, and refused with their place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from signoff.domain.actor import Directory, Person, Role
from signoff.domain.environment import BreakGlass, Environment, Freeze
from signoff.spec import read_environments, read_pipeline
from signoff.spec.moment import parse_moment

PEOPLE = Directory.of([Person("bob", frozenset({Role.APPROVER}), frozenset({"leads"}))])


def production(text: str) -> Environment:
    environments, problems = read_environments(f"environments:\n  production:\n    {text}\n")
    assert problems == ()
    assert environments is not None
    return environments["production"]


def refusals(text: str, directory: Directory | None = None) -> list[str]:
    found, problems = read_environments(f"environments:\n  production:\n    {text}\n", directory=directory)
    assert found is None
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems]


def test_a_day_without_a_time_is_meant_whole_and_in_utc() -> None:
    found = production("freeze: [{from: 2026-12-20, until: 2027-01-04, reason: year end}]").freeze
    assert found == (Freeze(datetime(2026, 12, 20, tzinfo=UTC), datetime(2027, 1, 5, tzinfo=UTC), "year end"),)


def test_a_moment_says_its_offset_and_is_kept_in_utc() -> None:
    found = production("freeze: [{from: 2026-12-20T18:00+01:00, until: 2026-12-21T06:30Z, reason: x}]").freeze
    [window] = found
    assert (window.since, window.until) == (
        datetime(2026, 12, 20, 17, tzinfo=UTC),
        datetime(2026, 12, 21, 6, 30, tzinfo=UTC),
    )


def test_one_day_is_a_window_too() -> None:
    [window] = production("freeze: [{from: 2026-12-24, until: 2026-12-24, reason: x}]").freeze
    assert window.until - window.since == timedelta(days=1)


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ("[{from: 2026-12-20T18:00, until: 2027-01-04, reason: x}]",
         "3:21: from: '2026-12-20T18:00' does not say which offset from UTC it has"),
        ("[{from: 2026-12-20, until: 2026-12-19, reason: x}]", "3:40: the window ends before it begins"),
        ("[{from: 2026-02-30, until: 2026-12-19, reason: x}]", "3:21: from: '2026-02-30' is not a day or a moment"),
        ("[{from: 2026-02-20, until: 9999-12-31, reason: x}]", "3:40: until: '9999-12-31' is not a day or a moment"),
        ("[{from: soon, until: 2026-12-19, reason: x}]", "3:21: from: 'soon' is not a day or a moment"),
        ("[{from: [1], until: 2026-12-19, reason: x}]", "3:21: from must be a day or a moment, not a list"),
        ("[{from: 2026-12-20, until: 2027-01-04}]", "3:15: a freeze window of environment production has no reason"),
        ("[{since: 2026-12-20, until: 2027-01-04, reason: x}]",
         "3:15: unknown key 'since' in a freeze window of environment production"),
        ("[2026-12-20]", "3:14: each window must be a mapping, not a single string"),
        ("{from: 2026-12-20}", "3:13: freeze must be a list of windows, not a mapping"),
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_meant_is_refused_at_its_place(freeze: str, message: str) -> None:
    assert refusals(f"freeze: {freeze}") == [message]


def test_break_glass_is_read_with_its_defaults() -> None:
    assert production("break_glass: {approvers: ['group:leads']}").break_glass == BreakGlass(("group:leads",))
    assert production(
        "break_glass: {approvers: [bob, carol, dan], required_approvals: 3, expires: 2h, on_expiry: return_to_former}"
    ).break_glass == BreakGlass(("bob", "carol", "dan"), 3, timedelta(hours=2), "return_to_former")


@pytest.mark.parametrize(
    ("glass", "message"),
    [
        ("{approvers: [bob]}", "3:30: 2 approvals are required but only 1 person is named: bob"),
        ("{approvers: [bob, carol], required_approvals: 3}",
         "3:64: 3 approvals are required but only 2 people are named: bob, carol"),
        ("{required_approvals: 1}", "3:19: break_glass of environment production has no approvers"),
        ("{approvers: ['group:leads'], on_expiry: explode}",
         "3:58: on_expiry must be escalate or return_to_former, not 'explode'"),
    ],
)  # fmt: skip
def test_a_glass_that_nobody_could_break_is_refused_at_its_place(glass: str, message: str) -> None:
    assert refusals(f"break_glass: {glass}") == [message]


def test_who_may_break_the_glass_must_be_known() -> None:
    text = "break_glass: {approvers: [bob, zoe, 'group:leads']}"
    assert refusals(text, PEOPLE) == ["3:36: nobody and no group is called 'zoe'"]


def test_a_rule_among_several_that_asks_for_more_than_it_names_is_pointed_at() -> None:
    rules = "[{name: a, approvers: [bob]}, {name: b, approvers: [bob, carol], required_approvals: 3}]"
    message = "3 approvals are required but only 2 people are named: bob, carol"
    assert refusals(f"rules: {rules}") == [f"3:97: {message}"]
    text = f"steps:\n  - name: approve\n    type: approval\n    inputs: {{rules: {rules}}}\n"
    assert [f"{p.line}:{p.column}: {p.message}" for p in read_pipeline(text).problems] == [f"4:106: {message}"]


@pytest.mark.parametrize("word", ["queue", "supersede", "allow"])
def test_every_way_for_two_runs_of_one_model_is_read(word: str) -> None:
    text = f"concurrency: {word}\nsteps: [{{name: a, type: approval, inputs: {{approvers: [bob]}}}}]\n"
    pipeline = read_pipeline(text).pipeline
    assert pipeline is not None
    assert pipeline.concurrency == word


def test_midnight_is_the_same_moment_everywhere() -> None:
    assert parse_moment("2026-12-21T01:00:00+01:00") == parse_moment("2026-12-21")
