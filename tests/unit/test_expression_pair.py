"""A comparison with the champion is judged by the paired difference, however it is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.evidence import Champion, Interval, Metric, Provenance, RowsNeeded
from signoff.domain.expression import Answer, Scope, Truth, evaluate, limits_of, may_auto_approve, parse

STEP = "test_model"


def metric(name: str, value: float, low: float, high: float, n: int = 1200) -> Metric:
    return Metric(name, value, Provenance.MEASURED, Interval(low, high), n, STEP)


def scope(delta: Mapping[str, Metric] | None = None, **changed: Metric) -> Scope:
    """Two intervals that overlap widely, and a difference that is known well."""
    own = {"auc": metric("auc", 0.905, 0.885, 0.925), "f1": metric("f1", 0.8, 0.77, 0.83)} | changed
    theirs = {"auc": metric("auc", 0.901, 0.881, 0.921), "f1": metric("f1", 0.79, 0.76, 0.82)}
    known = {"auc": metric("auc", 0.004, -0.003, 0.011)} if delta is None else delta
    return Scope(own, {STEP: own}, Champion("2", "sha256:02", theirs), "3", {}, 1, known)


def ask(text: str, within: Scope) -> Answer:
    return evaluate(parse(text), within)


def test_a_comparison_with_the_champion_is_the_paired_difference_against_the_margin() -> None:
    answer = ask("auc >= champion.auc - 0.005", scope())
    assert answer.truth is Truth.TRUE
    assert answer.reason == "delta.auc 0.004, paired, 95 % between -0.003 and 0.011, 1,200 rows, is at least -0.005"
    assert answer.seen == {"auc": 0.905, "champion.auc": 0.901, "delta.auc": 0.004}


def test_without_the_paired_difference_the_two_intervals_cannot_tell() -> None:
    answer = ask("auc >= champion.auc - 0.005", scope({}))
    assert answer.truth is Truth.UNCERTAIN
    assert "paired" not in answer.reason


@pytest.mark.parametrize(
    "text",
    [
        "auc + 0.005 >= champion.auc",
        "champion.auc - 0.005 <= auc",
        "champion.auc <= auc + 0.005",
        "auc - champion.auc >= -0.005",
        "-0.005 <= auc - champion.auc",
        "champion.auc - auc <= 0.005",
        "0 <= auc - (champion.auc - 0.005)",
        "-(champion.auc - auc) >= -0.005",
        "2 * auc >= 2 * champion.auc - 0.01",
        "auc / 4 >= (champion.auc - 0.005) / 4",
        "(auc - champion.auc) * 100 >= -0.5",
        "auc + auc >= champion.auc + champion.auc - 0.01",
        "test_model.auc >= champion.auc - 0.005",
        "not auc < champion.auc - 0.005",
        "auc + 0.1 - 0.095 >= champion.auc",
    ],
)
def test_every_way_to_write_it_gets_the_same_answer(text: str) -> None:
    answer = ask(text, scope())
    assert answer.truth is Truth.TRUE
    assert "delta.auc 0.004, paired, 95 % between -0.003 and 0.011" in answer.reason


def test_a_factor_that_no_decimal_can_divide_out_stays_in_the_sum() -> None:
    answer = ask("3 * auc >= 3 * champion.auc - 0.01", scope())
    assert answer.truth is Truth.TRUE
    assert answer.reason == "3 * delta.auc, between -0.009 and 0.033, is at least -0.01"


def test_a_margin_as_a_share_of_the_champion_uses_the_difference_for_what_both_have_in_common() -> None:
    within = scope()
    answer = ask("auc >= 0.99 * champion.auc", within)
    assert answer.truth is Truth.TRUE
    assert answer.reason == "0.99 * delta.auc + 0.01 * auc, between 0.00588 and 0.02014, is at least 0"
    assert ask("auc / champion.auc >= 0.99", within).reason == answer.reason
    assert ask("0.99 <= auc / champion.auc", within).truth is Truth.TRUE
    assert ask("auc >= 0.99 * champion.auc", scope({})).truth is Truth.UNCERTAIN


def test_a_ratio_whose_divisor_may_be_negative_is_not_multiplied_out() -> None:
    within = scope({"r2": metric("r2", 0.1, 0.05, 0.15)}, r2=metric("r2", 0.1, -0.1, 0.3))
    within = dataclasses.replace(within, champion=Champion("2", "sha256:02", {"r2": metric("r2", 0.01, -0.2, 0.2)}))
    answer = ask("r2 / champion.r2 >= 0.9", within)
    assert answer.truth is Truth.UNCERTAIN
    assert "may divide by zero" in answer.reason


def test_a_difference_within_a_function_is_the_paired_one() -> None:
    answer = ask("abs(auc - champion.auc) <= 0.02", scope())
    assert answer.truth is Truth.TRUE
    assert answer.reason == "abs(delta.auc), between 0 and 0.011, is at most 0.02"
    assert ask("max(auc - champion.auc, 0) < 0.012", scope()).truth is Truth.TRUE


def test_within_a_function_nothing_is_scaled() -> None:
    answer = ask("abs((auc - champion.auc) / 3) <= 0.004", scope())
    assert answer.reason == "abs(delta.auc / 3), between 0 and 0.003667, is at most 0.004"
    assert ask("abs((auc - champion.auc) / 3) <= 0.003", scope()).truth is Truth.UNCERTAIN


@pytest.mark.parametrize(
    "text",
    [
        "auc >= champion.f1",
        "auc + champion.auc > 1.79",
        "auc * champion.auc > 0.79",
        "auc - 2 * f1 > champion.f1 - 2",
        "f1 >= champion.f1 - 0.005",
    ],
)
def test_what_is_no_difference_of_one_metric_is_judged_as_it_is_written(text: str) -> None:
    assert ask(text, scope()) == ask(text, scope({}))


def test_a_difference_from_another_step_is_not_taken_for_this_one() -> None:
    other = dataclasses.replace(metric("auc", 0.004, -0.003, 0.011), step="other_test")
    assert ask("auc >= champion.auc - 0.005", scope({"auc": other})).truth is Truth.UNCERTAIN


def test_a_metric_that_contradicts_itself_is_not_saved_by_its_difference() -> None:
    own = dataclasses.replace(metric("auc", 0.905, 0.885, 0.925), conflict="metrics.json says 0.95")
    answer = may_auto_approve(parse("auc >= champion.auc - 0.005"), scope(auc=own))
    assert answer.truth is Truth.UNCERTAIN
    assert answer.is_missing
    assert answer.reason == "auc contradicts itself: metrics.json says 0.95"


def test_an_uncertain_answer_says_how_many_rows_would_settle_it() -> None:
    needed = (RowsNeeded(0.9, 1873), RowsNeeded(0.9, 2611, 0.99), RowsNeeded(0.91, 12))
    accuracy = Metric("accuracy", 0.903, Provenance.MEASURED, Interval(0.866, 0.931), 300, STEP, needed=needed)
    within = scope(accuracy=accuracy)
    assert ask("accuracy > 0.9", within).reason == (
        "accuracy 0.903, 95 % between 0.866 and 0.931, 300 rows: not sure that it is above 0.9; "
        "about 1,900 rows would be"
    )
    assert ask("accuracy > 0.902", within).reason.endswith("not sure that it is above 0.902")
    assert ask("accuracy > 0.85", within).reason.endswith("300 rows, is above 0.85")


def test_the_difference_too_says_how_many_rows_would_settle_it() -> None:
    delta = dataclasses.replace(metric("auc", -0.004, -0.012, 0.004), needed=(RowsNeeded(-0.005, 40_100),))
    answer = ask("auc >= champion.auc - 0.005", scope({"auc": delta}))
    assert answer.reason == (
        "delta.auc -0.004, paired, 95 % between -0.012 and 0.004, 1,200 rows: not sure that it is at least -0.005; "
        "about 41,000 rows would be"
    )


def test_an_interval_is_taken_at_the_confidence_that_is_asked_for() -> None:
    auc = Metric(
        "auc", 0.91, Provenance.MEASURED, Interval(0.901, 0.919), 900, STEP, further=(Interval(0.898, 0.922, 0.99),)
    )
    within = scope(auc=auc)
    assert ask("auc > 0.9", within).truth is Truth.TRUE
    surer = dataclasses.replace(within, level=0.99)
    assert ask("auc > 0.9", surer).reason == (
        "auc 0.91, 99 % between 0.898 and 0.922, 900 rows: not sure that it is above 0.9"
    )
    assert ask("auc > 0.9", dataclasses.replace(within, level=0.975)).reason.startswith("auc 0.91, 99 % between")


def test_an_interval_that_is_not_sure_enough_is_not_taken_for_an_exact_number() -> None:
    answer = ask("auc > 0.5", dataclasses.replace(scope(), level=0.999))
    assert answer.truth is Truth.UNCERTAIN
    assert answer.reason == "auc has its interval at 95 %, and 99.9 % is asked for"


WHOLE = st.integers(-20, 20).filter(bool)


@given(a=WHOLE, b=WHOLE, c=st.integers(-50, 50), sign=st.sampled_from(["<", "<=", ">", ">="]), values=st.data())
def test_rewriting_never_answers_otherwise_than_the_numbers_themselves(
    a: int, b: int, c: int, sign: str, values: st.DataObject
) -> None:
    own, theirs = values.draw(st.integers(1, 100)), values.draw(st.integers(1, 100))
    exact = Scope(
        {"auc": Metric("auc", own, Provenance.MEASURED)},
        {},
        Champion("2", "sha256:02", {"auc": Metric("auc", theirs, Provenance.MEASURED)}),
        "3",
        {},
        1,
        {"auc": Metric("auc", own - theirs, Provenance.MEASURED)},
    )
    text = f"{a} * auc / 8 {sign} {b} * champion.auc / 8 + {c}"
    expected = {"<": a * own < b * theirs + 8 * c, "<=": a * own <= b * theirs + 8 * c}
    expected |= {">": a * own > b * theirs + 8 * c, ">=": a * own >= b * theirs + 8 * c}
    assert ask(text, exact).truth is (Truth.TRUE if expected[sign] else Truth.FALSE)


def test_the_limits_of_an_expression_are_what_its_metrics_and_differences_are_held_against() -> None:
    text = (
        "accuracy > 0.9 and (0.8 < recall or accuracy >= 0.95) and auc >= champion.auc - 0.005 and test_model.f1 > 0.5"
    )
    assert limits_of(parse(text)) == {
        "accuracy": (0.9, 0.95), "recall": (0.8,), "delta.auc": (-0.005,), "f1": (0.5,)
    }  # fmt: skip
    assert limits_of(parse("accuracy / 2 > 0.4 and champion.auc > 0.9 and model.version == '3'")) == {}
