"""Points equal scikit-learn's, and each row's pull is the derivative that it says it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as field

from evaluation_arrays import binary, multiclass, predictions_of, regression
from signoff.domain.evidence import Task
from signoff.evaluation.answers import answers_of
from signoff.evaluation.metrics import (
    METRICS,
    available,
    contributions,
    influence,
    point,
    sums_by,
)
from signoff.evaluation.predictions import Predictions

Oracle = Callable[[Predictions, Any], float]

ORACLES: dict[Task, dict[str, Oracle]] = {
    Task.BINARY: {
        "accuracy": lambda p, w: field.accuracy_score(p.y_true, p.y_pred, sample_weight=w),
        "balanced_accuracy": lambda p, w: field.balanced_accuracy_score(p.y_true, p.y_pred, sample_weight=w),
        "precision": lambda p, w: field.precision_score(p.y_true, p.y_pred, sample_weight=w),
        "recall": lambda p, w: field.recall_score(p.y_true, p.y_pred, sample_weight=w),
        "specificity": lambda p, w: field.recall_score(p.y_true, p.y_pred, pos_label=0, sample_weight=w),
        "f1": lambda p, w: field.f1_score(p.y_true, p.y_pred, sample_weight=w),
        "mcc": lambda p, w: field.matthews_corrcoef(p.y_true, p.y_pred, sample_weight=w),
        "auc": lambda p, w: field.roc_auc_score(p.y_true, p.scores, sample_weight=w),
        "average_precision": lambda p, w: field.average_precision_score(p.y_true, p.scores, sample_weight=w),
        "log_loss": lambda p, w: field.log_loss(p.y_true, p.scores, sample_weight=w),
        "brier": lambda p, w: field.brier_score_loss(p.y_true, p.scores, sample_weight=w),
    },
    Task.MULTICLASS: {
        "accuracy": lambda p, w: field.accuracy_score(p.y_true, p.y_pred, sample_weight=w),
        "balanced_accuracy": lambda p, w: field.balanced_accuracy_score(p.y_true, p.y_pred, sample_weight=w),
        "macro_precision": lambda p, w: field.precision_score(p.y_true, p.y_pred, average="macro", sample_weight=w),
        "macro_recall": lambda p, w: field.recall_score(p.y_true, p.y_pred, average="macro", sample_weight=w),
        "macro_f1": lambda p, w: field.f1_score(p.y_true, p.y_pred, average="macro", sample_weight=w),
        "mcc": lambda p, w: field.matthews_corrcoef(p.y_true, p.y_pred, sample_weight=w),
        "log_loss": lambda p, w: field.log_loss(p.y_true, p.scores, sample_weight=w),
        "auc": lambda p, w: field.roc_auc_score(p.y_true, p.scores, multi_class="ovr", sample_weight=w),
    },
    Task.REGRESSION: {
        "mae": lambda p, w: field.mean_absolute_error(p.y_true, p.y_pred, sample_weight=w),
        "rmse": lambda p, w: field.root_mean_squared_error(p.y_true, p.y_pred, sample_weight=w),
        "mse": lambda p, w: field.mean_squared_error(p.y_true, p.y_pred, sample_weight=w),
        "r2": lambda p, w: field.r2_score(p.y_true, p.y_pred, sample_weight=w),
        "bias": lambda p, w: float(np.average(p.y_pred - p.y_true, weights=w)),
        "median_absolute_error": lambda p, w: field.median_absolute_error(p.y_true, p.y_pred, sample_weight=w),
        "mape": lambda p, w: field.mean_absolute_percentage_error(p.y_true, p.y_pred, sample_weight=w),
    },
}
MAKERS: dict[Task, Callable[..., Predictions]] = {
    Task.BINARY: binary,
    Task.MULTICLASS: multiclass,
    Task.REGRESSION: regression,
}
EVERY = [(task, name) for task, table in METRICS.items() for name in table]


def test_every_metric_has_an_oracle() -> None:
    assert {(task, name) for task, table in ORACLES.items() for name in table} == set(EVERY)


@pytest.mark.parametrize(("task", "name"), EVERY)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_points_equal_scikit_learns(task: Task, name: str, is_weighted: bool) -> None:
    for n in (60, 501):
        weight = np.random.default_rng(3).gamma(2, 1, n) if is_weighted else None
        predictions = MAKERS[task](n, seed=n, weight=weight)
        mine = point(METRICS[task][name], predictions)
        assert mine == pytest.approx(ORACLES[task][name](predictions, weight), rel=1e-9)


@pytest.mark.parametrize(("task", "name"), [pair for pair in EVERY if pair[1] != "median_absolute_error"])
def test_influence_is_the_derivative_by_each_rows_weight(task: Task, name: str) -> None:
    weight = np.random.default_rng(5).gamma(2, 1, 80)
    predictions = MAKERS[task](80, weight=weight)
    spec = METRICS[task][name]
    pulls = influence(spec, predictions)
    factor = 1.0
    for row in (0, 7, 33, 79):
        step = np.zeros(80)
        step[row] = 1e-6 * weight[row]
        ahead = point(spec, MAKERS[task](80, weight=weight + step))
        behind = point(spec, MAKERS[task](80, weight=weight - step))
        slope = (ahead - behind) / 2e-6
        if name == "auc" and task is Task.BINARY:  # DeLong's m - 1 instead of m
            same = (predictions.y_true == predictions.y_true[row]).sum()
            factor = math.sqrt(same / (same - 1))
        if name == "auc" and task is Task.MULTICLASS:
            assert pulls[row] == pytest.approx(slope, rel=0.06, abs=2e-4)
        else:
            assert pulls[row] == pytest.approx(slope * factor, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_mean_is_the_weighted_mean_of_its_contributions(task: Task, name: str) -> None:
    spec = METRICS[task][name]
    weight = np.random.default_rng(6).gamma(2, 1, 90)
    predictions = MAKERS[task](90, weight=weight)
    parts = contributions(spec, predictions)
    if spec.is_mean:
        assert np.average(parts, weights=weight) == pytest.approx(point(spec, predictions))
    else:
        assert np.isnan(parts).all()


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_many_slices_at_once_equal_each_alone(task: Task, name: str) -> None:
    spec = METRICS[task][name]
    predictions = MAKERS[task](300, weight=np.random.default_rng(7).gamma(2, 1, 300))
    codes = np.random.default_rng(8).integers(-1, 3, 300)
    if spec.of_sums is None:
        return
    answers = answers_of(predictions)
    assert answers is not None
    together = spec.of_sums(sums_by(spec, answers, codes, 3))
    alone = [point(spec, predictions, rows=codes == code) for code in range(3)]
    assert together == pytest.approx(alone, rel=1e-9)


def test_what_is_undefined_is_nan_and_never_nought() -> None:
    no_alarm = predictions_of(Task.BINARY, [0, 1, 1], [0, 0, 0], scores=np.array([0.1, 0.2, 0.3]))
    one_class = predictions_of(Task.BINARY, [1, 1, 1], [1, 0, 1], scores=np.array([0.1, 0.2, 0.3]))
    flat = predictions_of(Task.REGRESSION, [2.0, 2.0], [1.0, 3.0])
    at_zero = predictions_of(Task.REGRESSION, [0.0, 2.0], [1.0, 3.0])
    binary_table, number_table = METRICS[Task.BINARY], METRICS[Task.REGRESSION]
    assert math.isnan(point(binary_table["precision"], no_alarm))
    assert math.isnan(point(binary_table["mcc"], no_alarm))
    assert point(binary_table["f1"], no_alarm) == 0
    assert math.isnan(point(binary_table["auc"], one_class))
    assert math.isnan(point(binary_table["specificity"], one_class))
    assert math.isnan(point(number_table["r2"], flat))
    assert math.isnan(point(number_table["mape"], at_zero))
    assert math.isnan(point(binary_table["accuracy"], no_alarm, rows=np.array([], dtype=int)))
    assert math.isnan(point(binary_table["accuracy"], no_alarm, champion=True))


def test_scores_that_are_no_probabilities_rank_but_have_no_loss() -> None:
    predictions = predictions_of(Task.BINARY, [0, 1, 0, 1], [0, 1, 1, 1], scores=np.array([-3.0, 2.0, 0.5, 7.0]))
    names = [spec.name for spec in available(predictions)]
    assert "auc" in names
    assert "log_loss" not in names
    assert "brier" not in names
    assert math.isnan(point(METRICS[Task.BINARY]["log_loss"], predictions))


def test_without_scores_only_what_answers_give_is_available() -> None:
    names = {spec.name for spec in available(predictions_of(Task.BINARY, [0, 1], [0, 1]))}
    assert names == {"accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "mcc"}
