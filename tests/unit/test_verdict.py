"""The sentence at the top of a review: what it calls better, what it tells to weigh, and what it never claims."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signoff.domain.digits import MINUS, number, signed, together
from signoff.domain.evidence import (
    Champion,
    CheckResult,
    CheckStatus,
    Comparison,
    Evidence,
    FairnessGap,
    Interval,
    Metric,
    Provenance,
    Severity,
    SliceResult,
    TestSet,
)
from signoff.domain.scorecard import Tone, rows_of, worst_first
from signoff.domain.verdict import Leaning, opinion_of


def metric(name: str, value: float, n: int | None = 10_000, *, claimed: bool = False) -> Metric:
    return Metric(name, value, Provenance.CLAIMED if claimed else Provenance.MEASURED, n=n)


def compared(name: str, low: float, value: float, high: float, *, lower: bool = False) -> Comparison:
    difference = Metric(name, value, Provenance.MEASURED, Interval(low, high), 10_000)
    return Comparison(name, difference, 0.01, "paired", 10_000, 0.01, "lower" if lower else "higher")


def check(
    that: str,
    status: CheckStatus = CheckStatus.PASSED,
    severity: Severity = Severity.FAIL,
    name: str = "",
    where: str | None = None,
) -> CheckResult:
    return CheckResult(name or that, that, status, severity, "recall 0.71 is not above 0.75", slice=where)


AUC, RECALL = metric("auc", 0.912), metric("recall", 0.81)
CHAMPION = Champion("6", "sha256:six", {"auc": metric("auc", 0.884), "recall": metric("recall", 0.74)})
BETTER = Evidence(
    "test",
    1,
    "sha256:seven",
    (AUC, RECALL),
    (check("auc > 0.9"), check("recall >= champion.recall - 0.01")),
    CHAMPION,
    comparisons=(compared("auc", 0.019, 0.028, 0.036), compared("recall", 0.04, 0.07, 0.1)),
)
OLD = SliceResult(
    ("age",), ("over 65",), 412, "auc", 0.86, to_champion=compared("auc", -0.02, -0.009, -0.001).difference
)


def test_better_is_what_every_compared_metric_surely_is() -> None:
    found = opinion_of([BETTER], place="production")
    assert (found.leaning, found.sentence) == (Leaning.GOOD, "Better than the model now in production")
    assert found.strengths[0] == (
        "auc is 0.912 where v6 has 0.884: +0.028, 95 % sure between +0.019 and +0.036, 10,000 rows."
    )


def test_one_group_that_lost_is_one_thing_to_weigh() -> None:
    found = opinion_of([replace(BETTER, slices=(OLD,))], place="production")
    assert found.leaning is Leaning.WEIGH
    assert found.sentence == (
        "Better than the model now in production, with one thing to weigh: age over 65 does worse than before"
    )
    assert found.to_weigh[0].words == f"For age over 65 auc is 0.860, {MINUS}0.009 against the champion (412 rows)."


def test_a_failed_check_turns_the_sentence_and_comes_first() -> None:
    no = check("recall > 0.75", CheckStatus.FAILED, name="enough recall")
    found = opinion_of([replace(BETTER, checks=(*BETTER.checks, no), slices=(OLD,))], place="production")
    assert found.leaning is Leaning.BAD
    assert found.sentence == (
        "Better than the model now in production, but \u201cenough recall\u201d does not hold, and 1 more to weigh"
    )
    assert found.to_weigh[0].words.endswith("does not hold: recall 0.71 is not above 0.75.")


@pytest.mark.parametrize(
    ("comparisons", "sentence", "leaning"),
    [
        ((compared("auc", -0.01, 0.002, 0.02),), "No clear difference from the champion", Leaning.WEIGH),
        ((compared("auc", -0.04, -0.03, -0.01),), "Worse than the champion", Leaning.BAD),
        (
            (compared("auc", 0.01, 0.02, 0.03), compared("recall", -0.04, -0.03, -0.01)),
            "Better than the champion in auc, worse in recall",
            Leaning.WEIGH,
        ),
        ((compared("auc", -0.04, -0.03, -0.01, lower=True),), "Better than the champion", Leaning.GOOD),
    ],
)
def test_what_it_says_against_the_champion(
    comparisons: tuple[Comparison, ...], sentence: str, leaning: Leaning
) -> None:
    found = opinion_of([replace(BETTER, comparisons=comparisons)])
    assert (found.sentence, found.leaning) == (sentence, leaning)


def test_numbers_that_nobody_compared_row_by_row_are_never_called_better() -> None:
    found = opinion_of([replace(BETTER, comparisons=())], place="production")
    assert found.leaning is Leaning.UNKNOWN
    assert "row by row" in found.sentence
    assert found.strengths[0] == "auc is 0.912, and v6 had 0.884 when it was measured."


def test_without_a_champion_the_limits_speak() -> None:
    found = opinion_of([replace(BETTER, champion=None, comparisons=())])
    assert found.sentence == "Meets all its 2 limits"
    assert found.strengths[-1] == "No version is live to compare it with."
    assert found.leaning is Leaning.GOOD
    assert opinion_of([replace(BETTER, champion=None, comparisons=(), checks=())]).leaning is Leaning.UNKNOWN


def test_claimed_numbers_are_told_apart_from_measured_ones() -> None:
    claimed = Evidence("test", 1, "sha256:seven", (metric("auc", 0.99, None, claimed=True),), (check("auc > 0.9"),))
    found = opinion_of([claimed])
    assert found.leaning is Leaning.WEIGH
    assert found.sentence.endswith("with one thing to weigh: nobody measured its numbers here")


def test_what_is_uncertain_unfair_and_looked_at_often_is_weighed() -> None:
    more = replace(
        BETTER,
        checks=(check("auc > 0.9"), check("recall > 0.8", CheckStatus.UNCERTAIN)),
        fairness=(FairnessGap("gender", "demographic_parity", 0.2, Interval(0.15, 0.25), {"a": 0.5, "b": 0.7}),),
        test_set=TestSet("sha256:rows", 10_000, looks=6),
    )
    found = opinion_of([more], place="production", live="8")
    assert [finding.short for finding in found.to_weigh] == [
        "the numbers cannot tell whether \u201crecall > 0.8\u201d holds",
        "it treats the groups of gender differently",
        "the test rows were looked at 6 times",
        "it was compared with v6, which serves no longer",
    ]
    assert found.sentence.endswith("with 4 things to weigh, first of all: " + found.to_weigh[0].short)
    assert found.to_weigh[1].words == ("By demographic parity the groups of gender are 0.200 apart: a 0.500, b 0.700.")


def test_a_slice_that_a_check_said_no_about_is_not_told_twice() -> None:
    behind = SliceResult(("age",), ("over 65",), 412, "auc", 0.86, to_rest=-0.1, status="worse")
    no = check("auc > 0.9", CheckStatus.FAILED, Severity.WARN, "floor: over 65", "age over 65")
    found = opinion_of([replace(BETTER, checks=(*BETTER.checks, no), slices=(behind,))])
    assert [finding.short for finding in found.to_weigh] == ["\u201cfloor: over 65\u201d does not hold"]
    assert len(opinion_of([replace(BETTER, slices=(behind,))]).to_weigh) == 1


def test_nothing_known_is_said_to_be_nothing() -> None:
    assert opinion_of([]).leaning is Leaning.UNKNOWN
    assert opinion_of([]).sentence == "Nothing is known of how good it is: no step measured it"


def test_the_table_begins_with_what_checks_read_and_says_their_limits() -> None:
    more = metric("precision", 0.7)
    table = rows_of([replace(BETTER, metrics=(more, RECALL, AUC))])
    assert [row.name for row in table] == ["auc", "recall", "precision"]
    assert [row.limits for row in table] == [("> 0.9",), ("at most 0.010 worse",), ()]
    assert [row.tone for row in table] == [Tone.BETTER, Tone.BETTER, Tone.UNKNOWN]
    assert [row.result for row in table] == [CheckStatus.PASSED, CheckStatus.PASSED, None]


@pytest.mark.parametrize(
    ("that", "limit"),
    [
        ("0.9 < auc", "> 0.9"),
        ("auc >= champion.auc", "no worse"),
        ("auc - champion.auc > 0.02", "0.020 better"),
        ("auc > 0.9 or recall > 0.9", "auc > 0.9 or recall > 0.9"),
    ],
)
def test_a_limit_is_said_as_short_as_it_can_be(that: str, limit: str) -> None:
    table = rows_of([replace(BETTER, checks=(check(that),))])
    assert table[0].limits == (limit,)


def test_the_worst_answer_of_several_checks_is_the_result() -> None:
    checks = (
        check("auc > 0.8"),
        check("auc > 0.95", CheckStatus.FAILED, Severity.WARN),
        check("auc > 0.9", CheckStatus.UNCERTAIN),
    )
    row = rows_of([replace(BETTER, checks=checks)])[0]
    assert (row.result, row.is_warning) == (CheckStatus.UNCERTAIN, False)


def test_slices_come_worst_first_and_those_of_few_rows_last() -> None:
    gained = replace(OLD, values=("young",), to_champion=compared("auc", 0.01, 0.03, 0.05).difference, status="fine")
    lost = replace(OLD, status="fine")
    behind = replace(OLD, values=("middle",), to_champion=None, to_rest=-0.2, status="worse")
    few = replace(OLD, values=("baby",), n=3, status="unsure")
    assert [one.values[0] for one in worst_first([few, gained, lost, behind])] == ["middle", "over 65", "young", "baby"]


def test_numbers_that_differ_never_look_the_same() -> None:
    assert together(0.90004, 0.90002) == ("0.90004", "0.90002")
    assert (number(1250), number(12.5), number(0.0001), signed(-0.009), signed(0.0)) == (
        "1,250",
        "12.5",
        "0.0001",
        f"{MINUS}0.009",
        "0",
    )
    assert number(float("nan")) == "not a number"
