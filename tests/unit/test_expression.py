"""What expressions answer, in which words, and what that means for a check and for auto-approval."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import pytest

from signoff.domain.evidence import Champion, CheckResult, CheckStatus, Interval, Metric, Provenance, Severity
from signoff.domain.expression import Answer, Scope, Truth, evaluate, judge_check, may_auto_approve, parse

Number = float | tuple[float, float, float]

NAN = float("nan")


def metric(name: str, number: Number, provenance: Provenance = Provenance.MEASURED) -> Metric:
    if isinstance(number, tuple):
        return Metric(name, number[0], provenance, Interval(*number[1:]))
    return Metric(name, number, provenance)


def metrics(numbers: Mapping[str, Number]) -> dict[str, Metric]:
    return {name: metric(name, number) for name, number in numbers.items()}


def scope(champion: Mapping[str, Number] | None = None, /, **numbers: Number) -> Scope:
    return Scope(
        metrics=metrics(numbers),
        by_step={"test_model": metrics({"auc": 0.7})},
        champion=None if champion is None else Champion("2", "sha256:02", metrics(champion)),
        model_version="3",
        tags={"team": "risk"},
        attempt=2,
    )


def ask(text: str, within: Scope) -> Answer:
    return evaluate(parse(text), within)


def judge(text: str, within: Scope, without_champion: Literal["pass", "fail"] = "pass") -> CheckResult:
    return judge_check("quality", parse(text), within, Severity.WARN, without_champion)


@pytest.mark.parametrize(
    ("text", "within", "truth", "reason"),
    [
        ("accuracy > 0.9", scope(accuracy=0.903), "true", "accuracy 0.903 is above 0.9"),
        ("accuracy > 0.9", scope(accuracy=0.9), "false", "accuracy 0.9 is not above 0.9"),
        ("accuracy >= 0.9", scope(accuracy=0.9), "true", "accuracy 0.9 is at least 0.9"),
        ("0.9 < accuracy", scope(accuracy=0.95), "true", "accuracy 0.95 is above 0.9"),
        ("loss < 0.10", scope(loss=0.1), "false", "loss 0.1 is not below 0.10"),
        ("loss <= 0.1", scope(loss=0.1), "true", "loss 0.1 is at most 0.1"),
        ("rows == 1200", scope(rows=1200), "true", "rows 1200 is equal to 1200"),
        ("rows != 1200", scope(rows=1200), "false", "rows 1200 is not different from 1200"),
        (
            "accuracy > 0.9",
            scope(accuracy=(0.903, 0.866, 0.931)),
            "uncertain",
            "accuracy 0.903, 95 % between 0.866 and 0.931: not sure that it is above 0.9",
        ),
        (
            "accuracy > 0.85",
            scope(accuracy=(0.903, 0.866, 0.931)),
            "true",
            "accuracy 0.903, 95 % between 0.866 and 0.931, is above 0.85",
        ),
        (
            "accuracy > 0.95",
            scope(accuracy=(0.903, 0.866, 0.931)),
            "false",
            "accuracy 0.903, 95 % between 0.866 and 0.931, is not above 0.95",
        ),
        (
            "auc >= champion.auc - 0.005",
            scope({"auc": 0.905}, auc=0.9),
            "true",
            "auc 0.9 is at least champion.auc - 0.005 (0.9)",
        ),
        (
            "auc > champion.auc + 0.01",
            scope({"auc": (0.9, 0.88, 0.92)}, auc=0.91),
            "uncertain",
            "auc 0.91: not sure that it is above champion.auc + 0.01, between 0.89 and 0.93",
        ),
        (
            "auc > champion.auc",
            scope({"auc": (0.9, 0.88, 0.92)}, auc=0.91),
            "uncertain",
            "auc 0.91: not sure that it is above champion.auc 0.9, 95 % between 0.88 and 0.92",
        ),
        ("0.5 < auc < 0.9", scope(auc=0.7), "true", "auc 0.7 is above 0.5; auc 0.7 is below 0.9"),
        ("0.8 < auc < 0.9", scope(auc=0.7), "false", "auc 0.7 is not above 0.8"),
        ("auc > 0.8 or f1 > 0.8", scope(auc=0.7, f1=0.9), "true", "f1 0.9 is above 0.8"),
        ("auc > 0.8 or f1 > 0.8", scope(auc=0.7, f1=0.6), "false", "auc 0.7 is not above 0.8; f1 0.6 is not above 0.8"),
        ("auc > 0.8 and f1 > 0.8", scope(auc=NAN, f1=0.6), "false", "f1 0.6 is not above 0.8"),
        ("not auc > 0.8", scope(auc=0.7), "true", "auc 0.7 is not above 0.8"),
        ("accuracy > 0.9", scope(), "uncertain", "accuracy was not reported"),
        ("accuracy > 0.9 and accuracy < f1", scope(f1=1), "uncertain", "accuracy was not reported"),
        ("accuracy > 0.9", scope(accuracy=NAN), "uncertain", "accuracy is NaN"),
        ("loss < 5", scope(loss=float("-inf")), "uncertain", "loss is infinite"),
        ("auc > champion.auc", scope({}, auc=1), "uncertain", "champion.auc was not reported"),
        ("auc > champion.auc", scope(auc=1), "uncertain", "no champion to compare with"),
        ("delta.auc > -0.005", scope({"auc": 0.9}, auc=1), "uncertain", "no paired comparison yet"),
        ("delta.auc > -0.005", scope(auc=1), "uncertain", "no champion to compare with"),
        ("test_model.auc > auc", scope(auc=0.6), "true", "test_model.auc 0.7 is above auc 0.6"),
        ("other_step.auc > auc", scope(auc=0.6), "uncertain", "other_step.auc was not reported"),
        ('model.version == "3"', scope(), "true", 'model.version "3" is equal to "3"'),
        ('"4" == model.version', scope(), "false", 'model.version "3" is not equal to "4"'),
        ('model.tags["team"] != "risk"', scope(), "false", 'model.tags["team"] "risk" is not different from "risk"'),
        ('model.tags["class"] != "high"', scope(), "uncertain", 'model.tags["class"] is not set'),
        ("attempt < 3", scope(), "true", "attempt 2 is below 3"),
        ("auc / f1 > 1", scope(auc=1, f1=0), "uncertain", "auc / f1 cannot be computed: it divides by zero"),
        (
            "auc / f1 > 1",
            scope(auc=1, f1=(0.1, -0.1, 0.3)),
            "uncertain",
            "auc / f1 cannot be computed: it may divide by zero",
        ),
        ("a * a > 1", scope(a=1e300), "uncertain", "a * a cannot be computed: the result is too large"),
        (
            "a - a > 1",
            scope(a=(1, 0, float("inf"))),
            "uncertain",
            "a - a, between minus infinity and infinity: not sure that it is above 1",
        ),
        (
            "a * b > 1",
            scope(a=(1, 1, float("inf")), b=0),
            "uncertain",
            "a * b cannot be computed: the result is not a number",
        ),
        ("a > 0.90002", scope(a=0.90004), "true", "a 0.90004 is above 0.90002"),
        ("a > 1 / 3", scope(a=12345.678), "true", "a 12346 is above 1 / 3 (0.3333)"),
        ("a > 1e-9", scope(a=2e-9), "true", "a 2e-9 is above 1e-9"),
        ("min(a, 2) > max(a, -2)", scope(a=1), "false", "min(a, 2) (1) is not above max(a, -2) (1)"),
    ],
)
def test_an_answer_says_why_in_plain_words(text: str, within: Scope, truth: str, reason: str) -> None:
    answer = ask(text, within)
    assert (answer.truth.value, answer.reason) == (truth, reason)


def test_a_paired_difference_that_is_there_is_used() -> None:
    within = dataclasses.replace(scope({"auc": 0.9}), delta=metrics({"auc": (0.004, 0.001, 0.007)}))
    answer = ask("delta.auc > -0.005", within)
    assert answer.truth is Truth.TRUE
    assert answer.reason == "delta.auc 0.004, paired, 95 % between 0.001 and 0.007, is above -0.005"


def test_numbers_are_the_decimals_that_people_read() -> None:
    assert ask("a + b == 0.3", scope(a=0.1, b=0.2)).truth is Truth.TRUE


def test_a_value_outside_its_own_interval_widens_it() -> None:
    assert ask("a > 0.9", scope(a=(0.8, 0.95, 0.97))).truth is Truth.UNCERTAIN


def test_a_repeated_name_is_taken_as_two_numbers() -> None:
    assert ask("a - a == 0", scope(a=(0.5, 0.4, 0.6))).truth is Truth.UNCERTAIN


def test_an_answer_shows_what_it_saw_and_what_was_not_there() -> None:
    text = 'auc > f1 and auc > nan_one and attempt < 3 and auc > champion.auc and model.tags["team"] == "risk"'
    answer = ask(text, scope({"auc": 0.5}, auc=0.7, nan_one=NAN))
    assert answer.seen == {
        "auc": 0.7, "f1": None, "nan_one": "nan", "attempt": 2, "champion.auc": 0.5, 'model.tags["team"]': "risk",
    }  # fmt: skip


def test_only_an_answer_that_is_exactly_true_is_truthy() -> None:
    assert ask("a > 1", scope(a=2))
    assert not ask("a > 1", scope(a=0))
    assert not ask("a > 1", scope())
    assert [bool(truth) for truth in Truth] == [True, False, False]


def test_an_answer_is_missing_something_only_where_that_matters() -> None:
    assert ask("a > 1 and b > 1", scope(a=2)).is_missing
    assert not ask("a > 1 and b > 1", scope(a=0)).is_missing
    assert not ask("a > 1 or b > 1", scope(a=2)).is_missing
    assert not ask("a > 1", scope(a=(1, 0, 2))).is_missing


def test_an_answer_hinges_on_the_champion_only_where_another_champion_could_change_it() -> None:
    assert ask("a > 1 and a > champion.a", scope(a=2)).is_without_champion
    assert not ask("a > 1 and a > champion.a", scope(a=0)).is_without_champion
    assert not ask("a > 1 or a > champion.a", scope(a=2)).is_without_champion
    assert not ask("a > 1 and a > champion.a", scope({"a": 1}, a=2)).is_without_champion


def test_an_answer_is_measured_only_if_every_metric_that_it_read_was() -> None:
    within = scope({"auc": 0.5}, auc=0.7)
    assert ask("auc > champion.auc and f1 > 1", within).is_measured
    claimed = metric("f1", 0.7, Provenance.CLAIMED)
    within = dataclasses.replace(within, metrics={**within.metrics, "f1": claimed})
    assert ask("auc > 0.5", within).is_measured
    assert not ask("auc > 0.5 or f1 > 0.5", within).is_measured


@pytest.mark.parametrize(
    ("text", "within", "status", "reason"),
    [
        ("a > 1", scope(a=2), CheckStatus.PASSED, "a 2 is above 1"),
        ("a > 1", scope(a=1), CheckStatus.FAILED, "a 1 is not above 1"),
        ("a > 1", scope(), CheckStatus.FAILED, "a was not reported"),
        ("a > 1", scope(a=NAN), CheckStatus.FAILED, "a is NaN"),
        ("not a > 1", scope(a=NAN), CheckStatus.FAILED, "a is NaN"),
        (
            "a > 1",
            scope(a=(2, 0, 3)),
            CheckStatus.UNCERTAIN,
            "a 2, 95 % between 0 and 3: not sure that it is above 1",
        ),
        ("1 / a > 1", scope(a=0), CheckStatus.UNCERTAIN, "1 / a cannot be computed: it divides by zero"),
        ("a > champion.a", scope({}, a=1), CheckStatus.FAILED, "champion.a was not reported"),
        ("delta.a > 0", scope({"a": 1}, a=1), CheckStatus.UNCERTAIN, "no paired comparison yet"),
    ],
)
def test_a_check_passes_fails_or_leaves_it_to_people(
    text: str, within: Scope, status: CheckStatus, reason: str
) -> None:
    result = judge(text, within)
    assert (result.status, result.reason) == (status, reason)
    assert result.name == "quality"
    assert result.expression == text
    assert result.severity is Severity.WARN


@pytest.mark.parametrize(
    ("text", "within", "passing", "failing", "reason"),
    [
        ("a >= champion.a", scope(a=1), "passed", "failed", "no champion to compare with"),
        ("not a < champion.a", scope(a=1), "passed", "failed", "no champion to compare with"),
        ("delta.a > 0", scope(a=1), "passed", "failed", "no champion to compare with"),
        ("a > 1 and a >= champion.a", scope(a=0.5), "failed", "failed", "a 0.5 is not above 1"),
        ("a > 1 or a >= champion.a", scope(a=2), "passed", "passed", "a 2 is above 1"),
        ("a >= champion.a", scope(a=NAN), "failed", "failed", "a is NaN"),
        ("b > 1 and a >= champion.a", scope(a=1), "failed", "failed", None),
    ],
)
def test_without_a_champion_its_comparison_counts_as_the_check_says(
    text: str, within: Scope, passing: str, failing: str, reason: str | None
) -> None:
    passes, fails = judge(text, within), judge(text, within, "fail")
    assert (passes.status.value, fails.status.value) == (passing, failing)
    assert passes.uses_champion
    if reason is not None:
        assert passes.reason == fails.reason == reason


def test_a_pass_that_rests_on_no_champion_says_so_beside_the_rest() -> None:
    assert judge("a > 1 and a >= champion.a", scope(a=2)).reason == "a 2 is above 1; no champion to compare with"


def test_a_check_that_is_unsure_of_the_candidate_does_not_pass_for_want_of_a_champion() -> None:
    assert judge("a > 1 and a >= champion.a", scope(a=(1, 0, 2))).status is CheckStatus.UNCERTAIN


@pytest.mark.parametrize(
    ("within", "truth"),
    [
        (scope(a=2), Truth.TRUE),
        (scope(a=1), Truth.FALSE),
        (scope(a=(2, 0, 3)), Truth.UNCERTAIN),
        (scope(a=NAN), Truth.UNCERTAIN),
        (scope(), Truth.UNCERTAIN),
    ],
)
def test_policy_approves_only_what_is_exactly_true(within: Scope, truth: Truth) -> None:
    assert may_auto_approve(parse("a > 1"), within).truth is truth


def test_policy_does_not_approve_for_want_of_a_champion() -> None:
    answer = may_auto_approve(parse("a > champion.a"), scope(a=2))
    assert answer.truth is Truth.UNCERTAIN
    assert answer.is_without_champion


@pytest.mark.parametrize("value", ["0.95", None, 10**400])
def test_policy_does_not_approve_what_cannot_be_evaluated(value: object) -> None:
    broken = dataclasses.replace(metric("a", 1), value=value)  # type: ignore[arg-type]
    answer = may_auto_approve(parse("a > 0.9"), dataclasses.replace(scope(), metrics={"a": broken}))
    assert answer.truth is Truth.UNCERTAIN
    assert not answer.is_measured
    assert answer.reason.startswith("it could not be evaluated: ")
