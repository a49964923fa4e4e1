"""Intervals equal closed forms and published examples, and keep their laws whatever the method."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evaluation_arrays import binary, multiclass, predictions_of, regression
from signoff.domain.evidence import Task
from signoff.evaluation import bootstrap, closed_forms
from signoff.evaluation.auc import area, area_influence, newcombe, ranking_of
from signoff.evaluation.intervals import Estimate, estimate, estimate_all
from signoff.evaluation.metrics import METRICS, influence
from signoff.evaluation.predictions import Predictions


def one(predictions: Predictions, name: str, level: float = 0.95) -> tuple[float, float]:
    got = estimate(METRICS[predictions.task][name], predictions, levels=(level,))
    assert got is not None
    interval = got.at(level)
    assert interval is not None
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_equals_newcombes_published_examples(hits: int, n: int, low: float, high: float) -> None:
    got = closed_forms.wilson(hits / n, n, closed_forms.quantile(0.95))
    assert got == pytest.approx((low, high), abs=5e-5)
    theirs = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert got == pytest.approx((theirs.low, theirs.high))


def test_a_proportions_interval_is_wilsons_of_the_rows_that_were_tried() -> None:
    predictions = binary(300)
    alarms = predictions.y_pred == 1
    right = int((predictions.y_true[alarms] == 1).sum())
    theirs = stats.binomtest(right, int(alarms.sum())).proportion_ci(0.9, method="wilson")
    assert one(predictions, "precision", 0.9) == pytest.approx((theirs.low, theirs.high))


def test_delongs_variance_equals_the_brute_force_of_its_definition() -> None:
    predictions = binary(120, seed=4)
    assert predictions.scores is not None
    positive, negative = predictions.scores[predictions.y_true == 1], predictions.scores[predictions.y_true == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    ranking = ranking_of(predictions.y_true == 1, predictions.scores, np.ones(120))
    assert area(ranking) == pytest.approx(wins.mean())
    assert (area_influence(ranking) ** 2).sum() == pytest.approx(variance)
    value, error = wins.mean(), math.sqrt(variance)
    logit, half = math.log(value / (1 - value)), 1.959964 * error / (value * (1 - value))
    ends = [1 / (1 + math.exp(-(logit + side * half))) for side in (-1, 1)]
    assert one(predictions, "auc") == pytest.approx(ends)


def test_delongs_variance_of_a_small_example_by_hand() -> None:
    """Positives 3, 1 against negatives 2, 0: wins 1, 1 and 0, 1; components (1, 1/2) and (1/2, 1)."""
    ranking = ranking_of(np.array([1, 1, 0, 0]), np.array([3.0, 1.0, 2.0, 0.0]), np.ones(4))
    assert area(ranking) == 0.75
    assert (area_influence(ranking) ** 2).sum() == pytest.approx(0.125 / 2 + 0.125 / 2)


def test_an_area_of_one_has_an_interval_that_few_rows_make_wide() -> None:
    few = predictions_of(Task.BINARY, [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], scores=np.arange(6) / 6)
    got = estimate(METRICS[Task.BINARY]["auc"], few)
    assert got is not None
    assert got.method == "newcombe"
    low, high = one(few, "auc")
    assert 0.3 < low < 0.75
    assert high == 1.0
    assert newcombe(1.0, 500, 500, 0.95)[0] > 0.98
    ends = newcombe(0.3, 8, 12, 0.95)
    assert newcombe(0.7, 8, 12, 0.95) == pytest.approx((1 - ends[1], 1 - ends[0]), abs=1e-6)


@pytest.mark.parametrize("seed", [1, 2])
def test_bca_equals_scipys(seed: int) -> None:
    values = np.random.default_rng(seed).gamma(1.5, 2, 80)
    units = np.stack([values, np.ones(80)], 1)
    drawn = bootstrap.resampled_sums(units, seed=seed, replicates=20_000)
    mine = bootstrap.bca(values.mean(), drawn[:, 0] / drawn[:, 1], (values - values.mean()) / 80, 0.95)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=seed).confidence_interval
    width = theirs.high - theirs.low
    assert mine == pytest.approx((theirs.low, theirs.high), abs=0.02 * width)


def test_resampling_cells_is_resampling_rows() -> None:
    counts = np.array([50, 30, 15, 5])
    sums = np.array([[1.0, 0, 2], [0, 1, 0], [1, 1, 1], [3, 0, 1]])
    rows = np.repeat(sums, counts, axis=0)
    by_cells = bootstrap.resampled_cells(counts, sums, seed=1, replicates=20_000)
    by_rows = bootstrap.resampled_sums(rows, seed=1, replicates=20_000)
    assert by_cells.mean(0) == pytest.approx(by_rows.mean(0), rel=0.01)
    assert np.cov(by_cells.T) == pytest.approx(np.cov(by_rows.T), rel=0.06, abs=0.5)


def test_two_models_are_resampled_together() -> None:
    one_model, other = np.random.default_rng(1).random((2, 500, 3))
    together = bootstrap.resampled_sums(np.concatenate([one_model, other], axis=1), seed=9, replicates=50)
    assert together[:, :3] == pytest.approx(bootstrap.resampled_sums(one_model, seed=9, replicates=50))
    assert together[:, 3:] == pytest.approx(bootstrap.resampled_sums(other, seed=9, replicates=50))


def test_the_median_has_the_interval_of_the_sign_test() -> None:
    predictions = regression(101)
    sizes = np.sort(np.abs(predictions.y_pred - predictions.y_true))
    low, high = one(predictions, "median_absolute_error")
    ranks = int(np.searchsorted(sizes, low)), int(np.searchsorted(sizes, high))
    held = stats.binom.cdf(ranks[1], 101, 0.5) - stats.binom.cdf(ranks[0], 101, 0.5)
    assert held == pytest.approx(0.95, abs=0.03)


MAKERS = {Task.BINARY: binary, Task.MULTICLASS: multiclass, Task.REGRESSION: regression}


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("columns", ["plain", "weighted", "clustered", "both"])
def test_every_interval_holds_its_value_and_is_wider_when_surer(task: Task, columns: str) -> None:
    rng = np.random.default_rng(2)
    predictions = MAKERS[task](
        240,
        weight=rng.gamma(2, 1, 240) if columns in {"weighted", "both"} else None,
        group=rng.integers(0, 60, 240) if columns in {"clustered", "both"} else None,
    )
    for got in estimate_all(predictions, levels=(0.8, 0.95, 0.99)).values():
        assert len(got.intervals) == 3, got
        low80, low95, low99 = (interval.low for interval in got.intervals)
        high80, high95, high99 = (interval.high for interval in got.intervals)
        assert low99 <= low95 < low80 <= got.value <= high80 < high95 <= high99, got
        assert ("cluster" in got.method) == (columns in {"clustered", "both"}), got
        assert got.n == 240
        assert got.notes == ()


@pytest.mark.parametrize("task", list(Task))
def test_equal_weights_change_nothing(task: Task) -> None:
    plain = estimate_all(MAKERS[task](400))
    doubled = estimate_all(MAKERS[task](400, weight=np.full(400, 2.0)))
    for name, got in plain.items():
        assert doubled[name].value == pytest.approx(got.value)
        width = got.intervals[0].high - got.intervals[0].low
        assert doubled[name].intervals[0].low == pytest.approx(got.intervals[0].low, abs=0.06 * width), name
        assert doubled[name].intervals[0].high == pytest.approx(got.intervals[0].high, abs=0.06 * width), name


@pytest.mark.parametrize("task", list(Task))
def test_rows_written_four_times_make_nothing_surer_when_their_groups_are_named(task: Task) -> None:
    once = MAKERS[task](150)
    rows = np.repeat(np.arange(150), 4)
    assert once.scores is not None or task is Task.REGRESSION
    copied = replace(
        once,
        y_true=once.y_true[rows],
        y_pred=once.y_pred[rows],
        scores=None if once.scores is None else once.scores[rows],
        group=rows,
    )
    plain, clustered = estimate_all(once), estimate_all(copied)
    for name, got in plain.items():
        mine, theirs = got.intervals[0], clustered[name].intervals[0]
        assert theirs.high - theirs.low == pytest.approx(mine.high - mine.low, rel=0.12), name
    without = estimate_all(replace(copied, group=None))
    for name, got in plain.items():
        wide, narrow = got.intervals[0], without[name].intervals[0]
        assert (narrow.high - narrow.low) < 0.62 * (wide.high - wide.low), name


@pytest.mark.parametrize("task", list(Task))
def test_above_twenty_thousand_rows_the_delta_method_says_nearly_the_same(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = MAKERS[task](6000)
    drawn = estimate_all(predictions)
    monkeypatch.setattr(bootstrap, "MOST_UNITS", 5999)
    by_formula = estimate_all(predictions)
    assert {got.method for got in drawn.values()} >= {"bca"}
    assert "bca" not in {got.method for got in by_formula.values()}
    for name, got in drawn.items():
        if name == "mape":  # a few true values near 0 make it skewed beyond any method
            continue
        mine, theirs = by_formula[name].intervals[0], got.intervals[0]
        width = theirs.high - theirs.low
        assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=0.08 * width), name


def test_the_same_seed_gives_the_same_interval_and_is_recorded() -> None:
    predictions = regression(200)
    spec = METRICS[Task.REGRESSION]["rmse"]
    first, again, other = (estimate(spec, predictions, seed=seed) for seed in (5, 5, 6))
    assert first is not None
    assert first == again
    assert first != other
    assert first.seed == 5
    closed = estimate(METRICS[Task.BINARY]["accuracy"], binary(50), seed=5)
    assert closed is not None
    assert closed.seed is None


def test_one_metric_alone_equals_the_same_among_all() -> None:
    predictions = binary(150)
    together = estimate_all(predictions, seed=3)
    for name, got in together.items():
        alone = estimate(METRICS[Task.BINARY][name], predictions, seed=3)
        assert alone is not None, name
        assert replace(alone, intervals=()) == replace(got, intervals=()), name
        # The same sums in another order may differ in the last bit.
        ends = [(i.low, i.high) for i in got.intervals]
        assert [(i.low, i.high) for i in alone.intervals] == [pytest.approx(pair, rel=1e-12) for pair in ends], name


def nothing(got: Estimate | None, words: str) -> None:
    assert got is not None
    assert got.intervals == ()
    assert got.method == ""
    assert words in " ".join(got.notes)


def test_what_has_no_interval_says_why() -> None:
    table, numbers = METRICS[Task.BINARY], METRICS[Task.REGRESSION]
    no_alarm = predictions_of(Task.BINARY, [0, 1, 1], [0, 0, 0])
    nothing(estimate(table["precision"], no_alarm), "precision is undefined")
    nothing(estimate(table["accuracy"], no_alarm, rows=np.array([1])), "single row")
    nothing(estimate(numbers["mae"], predictions_of(Task.REGRESSION, [1.0, 2.0, 3.0], [2.0, 3.0, 4.0])), "the same")
    assert estimate(table["accuracy"], no_alarm, champion=True) is None
    assert estimate_all(no_alarm, champion=True) == {}


def test_no_error_at_all_is_not_surely_perfect() -> None:
    truth = np.array([0, 1] * 20)
    perfect = predictions_of(Task.BINARY, truth, truth, scores=0.9 * truth + 0.05)
    got = estimate_all(perfect)
    for name in ("accuracy", "balanced_accuracy", "f1", "mcc", "auc", "average_precision"):
        assert got[name].value == 1.0
        assert got[name].intervals[0].high == 1.0
        assert 0.7 < got[name].intervals[0].low < 0.96, name


def test_many_classes_are_left_to_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 400, 8000)
    answers = np.where(rng.random(8000) < 0.8, truth, rng.integers(0, 400, 8000))
    got = estimate_all(predictions_of(Task.MULTICLASS, truth, answers))
    assert got["accuracy"].method == "wilson"
    assert got["macro_f1"].method == got["mcc"].method == "delta"
    plain, macro = got["accuracy"].intervals[0], got["macro_recall"].intervals[0]
    assert macro.high - macro.low == pytest.approx(plain.high - plain.low, rel=0.15)


def test_few_groups_are_said() -> None:
    got = estimate_all(binary(100, group=np.arange(100) // 20))["accuracy"]
    assert got.notes == ("Only 5 groups: the interval is probably too narrow.",)


def test_a_slices_interval_is_that_of_its_rows_alone() -> None:
    predictions = binary(400, weight=np.random.default_rng(1).gamma(2, 1, 400), group=np.arange(400) // 2)
    rows = np.arange(400) % 3 == 0
    alone = replace(
        predictions,
        y_true=predictions.y_true[rows],
        y_pred=predictions.y_pred[rows],
        scores=None if predictions.scores is None else predictions.scores[rows],
        weight=None if predictions.weight is None else predictions.weight[rows],
        group=None if predictions.group is None else predictions.group[rows],
    )
    for spec in METRICS[Task.BINARY].values():
        assert estimate(spec, predictions, rows=rows) == estimate(spec, alone), spec.name


def test_influence_gives_the_error_of_a_mean() -> None:
    predictions = regression(300)
    errors = predictions.y_pred - predictions.y_true
    pulls = influence(METRICS[Task.REGRESSION]["bias"], predictions)
    assert (pulls**2).sum() == pytest.approx(errors.var() / 300)
