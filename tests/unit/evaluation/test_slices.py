"""Slices: values against scikit-learn on the rows themselves, and what may be called worse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as field

from paired_arrays import columns, rows_where, two_binary, two_multiclass, two_regressions
from signoff.domain.evidence import SliceResult, Task
from signoff.evaluation.metrics import METRICS, point
from signoff.evaluation.paired import both_of, differences_of
from signoff.evaluation.paired_proportions import wilson
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.slices import slice_table
from signoff.evaluation.slicing import Slicing

Oracle = Callable[..., float]
BINARY, REGRESSION = METRICS[Task.BINARY], METRICS[Task.REGRESSION]


def by_name(predictions: Predictions, name: str, **options: Any) -> dict[tuple[str, ...], SliceResult]:
    table = slice_table(predictions, METRICS[predictions.task][name], shown=None, **options)
    return {result.columns + result.values: result for result in table.results}


def planted(n: int = 4_000, *, seed: int = 1) -> Predictions:
    """In c0's v1 the candidate is wrong far more often."""
    rng = np.random.default_rng(seed)
    predictions = two_binary(rng, n, slices=(4, 3))
    flip = rows_where(predictions, c0=1) & (rng.random(n) < 0.25)
    return replace(predictions, y_pred=np.where(flip, 1 - predictions.y_pred, predictions.y_pred))


@pytest.mark.parametrize("weight", [False, True])
@pytest.mark.parametrize(
    ("name", "oracle", "uses"),
    [
        ("accuracy", field.accuracy_score, "y_pred"),
        ("recall", field.recall_score, "y_pred"),
        ("precision", field.precision_score, "y_pred"),
        ("f1", field.f1_score, "y_pred"),
        ("mcc", field.matthews_corrcoef, "y_pred"),
        ("auc", field.roc_auc_score, "scores"),
        ("average_precision", field.average_precision_score, "scores"),
        ("log_loss", field.log_loss, "scores"),
    ],
)
def test_a_slices_value_is_the_metric_of_its_rows_and_the_rest_that_of_all_others(
    name: str, oracle: Oracle, uses: str, weight: bool
) -> None:
    predictions = two_binary(np.random.default_rng(2), 900, slices=(3, 4), weight=weight)
    found = by_name(predictions, name)
    assert len(found) == 3 + 4 + 1

    def of(rows: np.ndarray) -> float:
        weights = None if predictions.weight is None else predictions.weight[rows]
        return oracle(predictions.y_true[rows], getattr(predictions, uses)[rows], sample_weight=weights)

    for column in ("c0", "c1"):
        for code in range(-1 if column == "c1" else 0, 3):
            rows = rows_where(predictions, **{column: code})
            result = found[column, f"v{code}" if code >= 0 else "(empty)"]
            assert result.value == pytest.approx(of(rows))
            assert result.n <= rows.sum()
            assert result.to_rest == pytest.approx(of(rows) - of(~rows))
            assert result.interval is not None
            assert result.interval.low < result.value < result.interval.high


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("mae", field.mean_absolute_error),
        ("rmse", field.root_mean_squared_error),
        ("r2", field.r2_score),
        ("median_absolute_error", field.median_absolute_error),
    ],
)
def test_slices_of_a_regression_are_the_fields_too(name: str, oracle: Oracle) -> None:
    predictions = two_regressions(np.random.default_rng(3), 800, slices=(3,))
    for code in range(3):
        rows = rows_where(predictions, c0=code)
        result = by_name(predictions, name)["c0", f"v{code}"]
        assert result.value == pytest.approx(oracle(predictions.y_true[rows], predictions.y_pred[rows]))
        rest = oracle(predictions.y_true[~rows], predictions.y_pred[~rows])
        assert result.to_rest == pytest.approx(result.value - rest)


def test_slices_of_many_classes_have_every_metric() -> None:
    rng = np.random.default_rng(4)
    predictions = replace(two_multiclass(rng, 900), slices=columns(rng, 900, (3,)))
    rows = rows_where(predictions, c0=2)
    for name, spec in METRICS[Task.MULTICLASS].items():
        result = by_name(predictions, name)["c0", "v2"]
        assert result.value == pytest.approx(point(spec, predictions, rows))
        assert result.to_champion is not None
        assert result.to_champion.value == pytest.approx(result.value - point(spec, predictions, rows, champion=True))


@pytest.mark.parametrize("groups", [0, 80])
@pytest.mark.parametrize("name", ["accuracy", "recall", "f1", "log_loss", "auc"])
def test_the_difference_to_the_champion_is_the_paired_one_on_those_rows(name: str, groups: int) -> None:
    predictions = two_binary(np.random.default_rng(5), 1500, slices=(3,), groups=groups)
    for code in range(3):
        rows = np.flatnonzero(rows_where(predictions, c0=code))
        both = both_of(predictions, rows)
        assert both is not None
        alone = differences_of([BINARY[name]], both, levels=(0.95, 0.99), may_draw=False)[0]
        found = by_name(predictions, name, levels=(0.95, 0.99))["c0", f"v{code}"].to_champion
        assert found is not None
        assert found.interval is not None
        assert found.value == pytest.approx(alone.value)
        assert (found.interval.low, found.interval.high) == pytest.approx(alone.intervals[0], rel=0.03)
        assert (found.further[0].low, found.further[0].high) == pytest.approx(alone.intervals[1], rel=0.03)


def test_a_share_of_a_slice_has_wilsons_interval_at_every_level() -> None:
    predictions = two_binary(np.random.default_rng(6), 600, slices=(2,))
    result = by_name(predictions, "accuracy", levels=(0.95, 0.99))["c0", "v0"]
    rows = rows_where(predictions, c0=0)
    hits = int((predictions.y_pred == predictions.y_true)[rows].sum())
    for interval, level in zip((result.interval, *result.further), (0.95, 0.99), strict=True):
        assert interval is not None
        low, high = wilson(hits, rows.sum(), level)
        assert (interval.low, interval.high, interval.level) == pytest.approx((float(low), float(high), level))


def test_clusters_widen_what_a_slice_says() -> None:
    plain = two_binary(np.random.default_rng(7), 3000, slices=(2,), groups=30)
    for name in ("accuracy", "log_loss", "auc"):
        clustered, alone = (
            by_name(predictions, name)["c0", "v0"].interval for predictions in (plain, replace(plain, group=None))
        )
        assert clustered is not None
        assert alone is not None
        assert clustered.high - clustered.low > 1.3 * (alone.high - alone.low)
        assert clustered.method.startswith("cluster")


@pytest.mark.parametrize("name", ["accuracy", "f1", "log_loss", "auc"])
def test_the_surely_worse_slice_comes_first(name: str) -> None:
    predictions = planted()
    if name in {"log_loss", "auc"}:
        assert predictions.scores is not None
        wrong = rows_where(predictions, c0=1)
        predictions = replace(predictions, scores=np.where(wrong, 1 - predictions.scores, predictions.scores))
    table = slice_table(predictions, BINARY[name])
    first = table.results[0]
    assert (first.columns, first.values, first.status) == (("c0",), ("v1",), "worse")
    assert first.p_adjusted is not None
    assert first.p_adjusted < 0.001
    assert [result.status for result in table.results].count("worse") == 1
    assert "1 surely worse than the rest" in table.sentence


def test_a_slice_that_is_surely_no_worse_is_fine_and_one_too_close_to_tell_is_not() -> None:
    large, small = (two_binary(np.random.default_rng(8), n, slices=(3,)) for n in (30_000, 300))
    assert {result.status for result in by_name(large, "accuracy").values()} == {"fine"}
    assert "unsure" in {result.status for result in by_name(small, "accuracy").values()}
    assert {result.status for result in by_name(small, "accuracy", tolerance=0.5).values()} == {"fine"}


@pytest.mark.parametrize("name", ["accuracy", "f1", "auc", "log_loss"])
def test_a_small_slice_is_unsure_however_bad_it_looks(name: str) -> None:
    predictions = two_binary(np.random.default_rng(9), 5000)
    codes = np.zeros(5000, dtype=np.int32)
    codes[:20] = 1
    assert predictions.scores is not None
    right = predictions.y_true.copy()
    worst = replace(
        predictions,
        y_pred=np.where(codes == 1, 1 - right, right),
        scores=np.where(codes == 1, 0.98 - 0.96 * right, 0.02 + 0.96 * right),
        slices={"shop": Slicing("shop", ("large", "small"), codes)},
    )
    found = by_name(worst, name)
    assert found["shop", "small"].status == "unsure"
    assert found["shop", "small"].p_adjusted is None
    assert found["shop", "large"].status != "worse"


def test_two_columns_are_sliced_together_when_chosen() -> None:
    predictions = two_binary(np.random.default_rng(10), 900, slices=(2, 2))
    table = slice_table(predictions, BINARY["accuracy"], columns=[("c0", "c1"), ("c0",)])
    assert {result.columns for result in table.results} == {("c0", "c1"), ("c0",)}
    assert len(table.results) == 2 * 3 + 2
    both = next(result for result in table.results if result.values == ("v1", "v0"))
    rows = rows_where(predictions, c0=1, c1=0)
    assert both.n == rows.sum()
    assert both.value == pytest.approx(point(BINARY["accuracy"], predictions, rows))


def test_the_number_of_slices_is_capped_with_a_word_about_it() -> None:
    predictions = two_binary(np.random.default_rng(11), 3000, slices=(300, 400))
    table = slice_table(predictions, BINARY["accuracy"])
    assert (table.evaluated, len(table.results)) == (500, 50)
    assert "of which the 500 with most rows were evaluated" in table.sentence
    assert table.sentence.endswith("The worst 50 are shown.")
    whole = slice_table(predictions, BINARY["accuracy"], shown=None)
    assert len(whole.results) == 500
    assert min(result.n for result in whole.results) >= 3


def test_no_columns_are_no_slices() -> None:
    table = slice_table(two_binary(np.random.default_rng(12)), BINARY["accuracy"])
    assert (table.results, table.evaluated) == ((), 0)
    assert table.sentence == "No columns to slice by."


def test_a_slice_that_is_all_rows_has_no_rest() -> None:
    predictions = replace(
        two_binary(np.random.default_rng(13), 200),
        slices={"all": Slicing("all", ("yes",), np.zeros(200, dtype=np.int32))},
    )
    for name in ("accuracy", "f1", "auc", "log_loss"):
        result = by_name(predictions, name)["all", "yes"]
        assert result.to_rest is None
        assert result.status == "unsure"
        assert result.interval is not None


def test_an_undefined_slice_is_unsure_and_says_no_number() -> None:
    predictions = two_binary(np.random.default_rng(14), 400)
    codes = (predictions.y_true == 1).astype(np.int32)
    predictions = replace(predictions, slices={"truth": Slicing("truth", ("negative", "positive"), codes)})
    for name in ("auc", "recall"):
        result = by_name(predictions, name)["truth", "negative"]
        assert math.isnan(result.value)
        assert result.interval is None
        assert result.status == "unsure"


def test_of_slices_that_are_all_alike_hardly_any_is_called_worse() -> None:
    alarms = [
        any(
            result.status == "worse"
            for result in slice_table(
                two_binary(np.random.default_rng(seed), 2000, slices=(3, 5, 8)), BINARY[name], tolerance=0.0
            ).results
        )
        for seed in range(60)
        for name in ("accuracy", "f1")
    ]
    assert np.mean(alarms) <= 0.06
