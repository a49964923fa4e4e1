"""Checks at their own confidence, for each slice, and corrected for one another and for earlier looks."""

from __future__ import annotations

import dataclasses

import pytest

from signoff.domain.evidence import (
    Champion,
    CheckStatus,
    Interval,
    Metric,
    Provenance,
    Severity,
    SliceResult,
)
from signoff.domain.expression import Scope
from signoff.domain.judging import judge_checks, level_of, levels_of, no_answers, share_of
from signoff.domain.pipeline import Check, OnUncertain

PASSED, FAILED, UNCERTAIN = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.UNCERTAIN


def metric(name: str, value: float, width: float, *levels: float) -> Metric:
    """A metric whose interval at 95 % is `width` to both sides, and wider at each of `levels` by the normal curve."""
    from statistics import NormalDist

    def at(level: float) -> Interval:
        times = NormalDist().inv_cdf(0.5 + level / 2) / NormalDist().inv_cdf(0.975)
        return Interval(value - width * times, value + width * times, level, "normal")

    return Metric(name, value, Provenance.MEASURED, at(0.95), 300, "test_model", tuple(at(one) for one in levels))


def scope(*metrics: Metric, champion: Champion | None = None) -> Scope:
    known = {one.name: one for one in metrics}
    return Scope(known, {"test_model": known}, champion, "3", {}, 1)


def check(that: str, confidence: float = 0.95, on_uncertain: OnUncertain = OnUncertain.PEOPLE) -> Check:
    return Check(that, that, confidence=confidence, on_uncertain=on_uncertain)


def region(name: str, value: float, interval: Interval | None, n: int = 40, delta: Metric | None = None) -> SliceResult:
    return SliceResult(("region",), (name,), n, "accuracy", value, interval, to_champion=delta)


FLOOR = Check("floor", "accuracy > 0.8", for_each="region")


def test_a_check_is_judged_at_its_own_confidence() -> None:
    within = scope(metric("accuracy", 0.93, 0.025, 0.99))
    results = judge_checks([check("accuracy > 0.9"), check("accuracy > 0.9", 0.99)], within)
    assert [(r.status, r.level) for r in results] == [(PASSED, 0.95), (UNCERTAIN, 0.99)]


@pytest.mark.parametrize(
    ("on_uncertain", "status", "words"),
    [
        (OnUncertain.PEOPLE, UNCERTAIN, "not sure that it is above 0.9"),
        (OnUncertain.FAIL, FAILED, "not sure that it is above 0.9; the check wants to be sure"),
        (OnUncertain.PASS, PASSED, "not sure that it is above 0.9; the check lets that pass"),
    ],
)
def test_a_check_says_what_becomes_of_an_uncertain_answer(
    on_uncertain: OnUncertain, status: CheckStatus, words: str
) -> None:
    (result,) = judge_checks(
        [check("accuracy > 0.9", on_uncertain=on_uncertain)], scope(metric("accuracy", 0.91, 0.03))
    )
    assert result.status is status
    assert result.reason.endswith(words)


def test_letting_uncertain_answers_pass_lets_no_missing_metric_pass() -> None:
    (result,) = judge_checks([check("recall > 0.9", on_uncertain=OnUncertain.PASS)], scope())
    assert (result.status, result.reason) == (FAILED, "recall was not reported")


def test_a_check_for_each_slice_answers_once_per_slice_and_never_fails_a_small_one() -> None:
    slices = [
        region("north", 0.6, Interval(0.5, 0.7), 90),
        region("east", 0.75, Interval(0.4, 0.93), 8),
        region("south", 0.9, Interval(0.86, 0.93), 300),
        dataclasses.replace(
            region("north", 0.2, Interval(0.1, 0.3)), columns=("region", "age"), values=("north", "18")
        ),
        dataclasses.replace(region("north", 0.1, Interval(0.0, 0.2)), metric="recall"),
    ]
    results = judge_checks([FLOOR], scope(metric("accuracy", 0.99, 0.001)), slices)
    assert [(r.name, r.slice, r.status) for r in results] == [
        ("floor: north", "region north", FAILED),
        ("floor: east", "region east", UNCERTAIN),
        ("floor: south", "region south", PASSED),
    ]
    assert results[1].reason == (
        "region east: accuracy 0.75, 95 % between 0.4 and 0.93, 8 rows: not sure that it is above 0.8"
    )


@pytest.mark.parametrize(("value", "interval"), [(float("nan"), None), (1.0, None)])
def test_a_slice_from_which_nothing_can_be_told_is_uncertain(value: float, interval: Interval | None) -> None:
    (result,) = judge_checks([FLOOR], scope(), [region("west", value, interval, 1)])
    assert (result.status, result.reason) == (UNCERTAIN, "region west: accuracy cannot be told from 1 row")


def test_a_slice_column_that_no_prediction_has_fails_the_check() -> None:
    (result,) = judge_checks([dataclasses.replace(FLOOR, for_each="country")], scope(metric("accuracy", 1, 0)), [])
    assert result.status is FAILED
    assert result.reason == "there are no slices by country: no predictions were left with a column of that name"


def test_a_metric_that_slices_do_not_have_is_missing_there_rather_than_taken_from_the_whole() -> None:
    asked = dataclasses.replace(FLOOR, that="latency_p95 < 100")
    (result,) = judge_checks([asked], scope(metric("latency_p95", 5, 0)), [region("north", 0.9, Interval(0.8, 1))])
    assert (result.status, result.reason) == (FAILED, "region north: latency_p95 was not reported")


def test_within_a_slice_the_champion_is_compared_by_the_difference_on_these_rows() -> None:
    champion = Champion("2", "sha256:02", {"accuracy": metric("accuracy", 0.9, 0.01)})
    asked = dataclasses.replace(FLOOR, that="accuracy >= champion.accuracy - 0.02")
    delta = Metric("accuracy", 0.01, Provenance.MEASURED, Interval(-0.01, 0.03), 90, "test_model")
    slices = [
        region("north", 0.91, Interval(0.8, 0.95), 90, delta),
        region("east", 0.8, Interval(0.5, 0.95), 8),
    ]
    north, east = judge_checks([asked], scope(champion=champion), slices)
    assert north.status is PASSED
    assert north.reason == (
        "region north: delta.accuracy 0.01, paired, 95 % between -0.01 and 0.03, 90 rows, is at least -0.02"
    )
    assert (east.status, east.reason) == (
        UNCERTAIN,
        "region east: accuracy cannot be compared with the champion's on 8 rows",
    )


def test_the_shares_of_all_looks_never_add_up_to_more_than_the_whole() -> None:
    assert share_of(1) == 0.5
    assert 0.99 < sum(share_of(look) for look in range(1, 1000)) < 1


def test_of_several_checks_each_has_to_be_surer() -> None:
    levels = tuple(level_of(0.95, share=0.5, among=m) for m in (1, 2, 3))
    strong, weak = metric("accuracy", 0.95, 0.02, *levels), metric("recall", 0.93, 0.0245, *levels)
    checks = [check("accuracy > 0.9"), check("recall > 0.9"), check("recall > 0.8")]
    plain = judge_checks(checks, scope(strong, weak))
    assert [result.status for result in plain] == [PASSED, PASSED, PASSED]
    first = judge_checks(checks, scope(strong, weak), correct=True, looks=1)
    assert [result.status for result in first] == [PASSED, PASSED, PASSED]
    assert [result.level for result in first] == [levels[2], levels[0], levels[2]]  # Holm: the surest leave first
    alone = judge_checks([check("recall > 0.9"), check("recall > 0.905")], scope(weak), correct=True, looks=1)
    assert [result.status for result in alone] == [UNCERTAIN, UNCERTAIN]
    assert alone[0].level == levels[1]


def test_later_looks_at_the_same_rows_have_to_be_surer_still() -> None:
    levels = [level_of(0.95, share=share_of(look)) for look in (1, 2, 3)]
    found = metric("accuracy", 0.93, 0.0245, *levels)
    by_look = [judge_checks([check("accuracy > 0.9")], scope(found), correct=True, looks=look)[0] for look in (1, 2, 3)]
    assert [result.status for result in by_look] == [PASSED, UNCERTAIN, UNCERTAIN]
    assert [round(result.level or 0, 4) for result in by_look] == [0.975, 0.9917, 0.9958]


def test_every_level_that_judging_will_ask_for_is_wanted_beforehand() -> None:
    checks = [check("a > 1"), check("b > 1", 0.99), dataclasses.replace(FLOOR, confidence=0.9)]
    assert levels_of(checks, slices={"region": 4}, correct=False, looks=3) == (0.9, 0.95, 0.99)
    wanted = levels_of(checks, slices={"region": 4}, correct=True, looks=2)
    for among in range(1, 7):
        for confidence in (0.9, 0.95, 0.99):
            assert level_of(confidence, share=share_of(2), among=among) in wanted
    assert level_of(0.95, share=share_of(2)) in wanted  # auto_approve_if


def test_hundreds_of_slices_ask_for_few_levels_and_the_strictest_is_among_them() -> None:
    wanted = levels_of([FLOOR], slices={"region": 500}, correct=True, looks=1)
    assert len(wanted) < 30
    assert level_of(0.95, share=0.5, among=500) in wanted


def test_a_step_fails_at_a_no_and_at_an_uncertain_answer_that_nobody_follows() -> None:
    results = judge_checks(
        [
            check("accuracy > 0.9"),
            dataclasses.replace(check("accuracy > 0.99"), severity=Severity.WARN),
            check("accuracy > 0.5"),
        ],
        scope(metric("accuracy", 0.91, 0.03)),
    )
    assert [result.name for result in no_answers(results, people_follow=True)] == []
    assert [result.name for result in no_answers(results, people_follow=False)] == ["accuracy > 0.9"]
