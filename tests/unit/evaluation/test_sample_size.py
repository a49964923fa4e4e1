"""The number of rows that a check is said to need does make it sure, four times in five."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation_arrays import binary, regression
from signoff.domain.evidence import Interval, Task
from signoff.evaluation import closed_forms
from signoff.evaluation.intervals import estimate
from signoff.evaluation.metrics import METRICS, influence, point
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.sample_size import rows_needed


def wilson(value: float, n: float, level: float = 0.95) -> Interval:
    return Interval(*closed_forms.wilson(value, n, closed_forms.quantile(level)), level, "wilson")


def needed(predictions: Predictions, name: str, limit: float) -> tuple[float, int]:
    got = estimate(METRICS[predictions.task][name], predictions)
    assert got is not None
    rows = rows_needed(got.value, got.intervals[0], limit, got.n)
    assert rows is not None
    return got.value, rows


@pytest.mark.parametrize(("value", "limit"), [(0.93, 0.9), (0.88, 0.9), (0.55, 0.5), (0.99, 0.97)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_so_many_rows_settle_a_proportion_four_times_in_five(value: float, limit: float, level: float) -> None:
    rows = rows_needed(value, wilson(value, 150, level), limit, 150)
    assert rows is not None
    rates = np.random.default_rng(1).binomial(rows, value, 4000) / rows
    z = closed_forms.quantile(level)
    ends = np.array([closed_forms.wilson(rate, rows, z) for rate in rates])
    sure = np.mean(ends[:, 0] > limit) if value > limit else np.mean(ends[:, 1] < limit)
    assert 0.75 < sure < 0.89  # counts are whole, so it cannot be 0.8 for every one


def test_so_many_rows_settle_an_area_four_times_in_five() -> None:
    large = binary(200_000, seed=9)
    truth = point(METRICS[Task.BINARY]["auc"], large)
    limit = truth - 0.03
    at_hand = binary(300, seed=1)
    got = estimate(METRICS[Task.BINARY]["auc"], at_hand)
    assert got is not None
    interval = got.intervals[0]
    shifted = Interval(interval.low + truth - got.value, interval.high + truth - got.value, 0.95, "delong")
    rows = rows_needed(truth, shifted, limit, 300)
    assert rows is not None
    sure = 0
    for seed in range(300):
        seen = estimate(METRICS[Task.BINARY]["auc"], binary(rows, seed=1000 + seed))
        assert seen is not None
        sure += seen.intervals[0].low > limit
    assert 0.7 < sure / 300 < 0.9


def test_so_many_rows_settle_a_mean_error_four_times_in_five() -> None:
    spec = METRICS[Task.REGRESSION]["bias"]
    truth, limit = 0.2, 0.15
    at_hand = regression(400, seed=3)
    error = float(np.sqrt((influence(spec, at_hand) ** 2).sum()))
    rows = rows_needed(truth, Interval(truth - 1.96 * error, truth + 1.96 * error, 0.95, "bca"), limit, 400)
    assert rows is not None
    sure = 0
    for seed in range(400):
        drawn = regression(rows, seed=500 + seed)
        half = 1.96 * float(np.sqrt((influence(spec, drawn) ** 2).sum()))
        sure += point(spec, drawn) - half > limit
    assert 0.72 < sure / 400 < 0.88


def test_clusters_need_more_rows() -> None:
    plain = binary(600, seed=2)
    clustered = binary(600, seed=2, group=np.argsort(np.argsort(plain.y_true != plain.y_pred, kind="stable")) // 6)
    value, few = needed(plain, "accuracy", 0.66)
    same, many = needed(clustered, "accuracy", 0.66)
    assert same == value
    assert many > 2 * few


def test_a_number_has_two_digits_and_falls_with_the_distance() -> None:
    interval = wilson(0.903, 300)
    answers = [rows_needed(0.903, interval, limit, 300) for limit in (0.9, 0.89, 0.88, 0.8)]
    known = [answer for answer in answers if answer is not None]
    assert known == sorted(known, reverse=True)
    assert len(known) == 4
    for answer in known:
        assert len(str(answer).rstrip("0")) <= 2


def test_nothing_settles_a_value_on_its_limit() -> None:
    assert rows_needed(0.9, wilson(0.9, 300), 0.9, 300) is None
    assert rows_needed(float("nan"), wilson(0.9, 300), 0.9, 300) is None
    assert rows_needed(0.9, Interval(0.9, 0.9, 0.95, "bca"), 0.8, 300) is None
    assert rows_needed(0.9, wilson(0.9, 300), 0.9000000001, 300) is None
