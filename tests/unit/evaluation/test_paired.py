"""Paired differences: against brute force, against each other, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as field

from paired_arrays import two_binary, two_multiclass, two_regressions
from signoff.domain.evidence import Comparison, Task
from signoff.evaluation.detectable import detectable_share
from signoff.evaluation.metrics import METRICS
from signoff.evaluation.paired import compare
from signoff.evaluation.paired_bootstrap import Bca
from signoff.evaluation.paired_proportions import mcnemar_mid_p, tango
from signoff.evaluation.predictions import Predictions

Make = Callable[..., Predictions]
BINARY = METRICS[Task.BINARY]


def one(predictions: Predictions, name: str, *, seed: int = 0, levels: tuple[float, ...] = (0.95,)) -> Comparison:
    return compare(predictions, [METRICS[predictions.task][name]], seed=seed, levels=levels)[0]


def ends(comparison: Comparison) -> tuple[float, float]:
    assert comparison.difference.interval is not None
    return comparison.difference.interval.low, comparison.difference.interval.high


def swapped(predictions: Predictions) -> Predictions:
    assert predictions.champion_pred is not None
    return replace(
        predictions,
        y_pred=predictions.champion_pred,
        scores=predictions.champion_scores,
        champion_pred=predictions.y_pred,
        champion_scores=predictions.scores,
    )


def delong(predictions: Predictions) -> tuple[float, float]:
    """The difference of the areas and its standard error, by DeLong's formulas over all pairs of rows."""
    scores = [predictions.scores, predictions.champion_scores]
    positive = predictions.y_true == 1
    of_positives, of_negatives, areas = [], [], []
    for score in scores:
        assert score is not None
        above = (score[positive][:, None] > score[~positive][None, :]) + 0.5 * (
            score[positive][:, None] == score[~positive][None, :]
        )
        of_positives.append(above.mean(axis=1))
        of_negatives.append(above.mean(axis=0))
        areas.append(above.mean())
    spread = np.cov(of_positives) / positive.sum() + np.cov(of_negatives) / (~positive).sum()
    return areas[0] - areas[1], math.sqrt(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1])


def test_the_difference_of_areas_is_delongs() -> None:
    predictions = two_binary(np.random.default_rng(1), 250)
    assert predictions.scores is not None
    assert predictions.champion_scores is not None
    for digits in (1, 2, 12):  # many ties, some, none
        rounded = replace(
            predictions,
            scores=predictions.scores.round(digits),
            champion_scores=predictions.champion_scores.round(digits),
        )
        value, error = delong(rounded)
        found = one(rounded, "auc")
        assert found.difference.value == pytest.approx(value)
        assert ends(found) == pytest.approx((value - 1.959964 * error, value + 1.959964 * error))
        assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(value) / error))
        assert found.method == "delong"


@pytest.mark.parametrize(("name", "label"), [("accuracy", None), ("recall", 1), ("specificity", 0)])
def test_shares_of_the_same_rows_are_mcnemars_and_tangos(name: str, label: int | None) -> None:
    predictions = two_binary(np.random.default_rng(2), 300)
    rows = np.ones(300, dtype=bool) if label is None else predictions.y_true == label
    ours, theirs = predictions.y_pred == predictions.y_true, predictions.champion_pred == predictions.y_true
    gained, lost = int((ours & ~theirs & rows).sum()), int((theirs & ~ours & rows).sum())
    found = one(predictions, name)
    assert found.difference.value == pytest.approx((gained - lost) / rows.sum())
    assert ends(found) == pytest.approx(tuple(map(float, tango(gained, lost, int(rows.sum())))))
    assert found.p_value == pytest.approx(float(mcnemar_mid_p(gained, lost)))
    assert found.detectable == detectable_share(gained, lost, int(rows.sum()))
    assert found.n == rows.sum()


@pytest.mark.parametrize("make", [two_binary, two_multiclass, two_regressions])
def test_every_metric_has_a_difference_that_is_scikit_learns(make: Make) -> None:
    predictions = make(np.random.default_rng(3))
    found = {comparison.metric: comparison.difference for comparison in compare(predictions)}
    assert set(found) == set(METRICS[predictions.task]) - {"bias"}
    for name, oracle in {
        "accuracy": field.accuracy_score,
        "f1": field.f1_score,
        "mcc": field.matthews_corrcoef,
        "mae": field.mean_absolute_error,
        "r2": field.r2_score,
    }.items():
        if name in found:
            expected = oracle(predictions.y_true, predictions.y_pred) - oracle(
                predictions.y_true, predictions.champion_pred
            )
            assert found[name].value == pytest.approx(expected)
    assert all(difference.name == f"delta.{name}" and difference.interval for name, difference in found.items())


@pytest.mark.parametrize("make", [two_binary, two_multiclass, two_regressions])
def test_swapping_the_models_mirrors_the_difference(make: Make) -> None:
    predictions = make(np.random.default_rng(4))
    for there, back in zip(compare(predictions), compare(swapped(predictions)), strict=True):
        assert back.difference.value == pytest.approx(-there.difference.value)
        width = ends(there)[1] - ends(there)[0]
        assert ends(back) == pytest.approx((-ends(there)[1], -ends(there)[0]), abs=0.06 * width)


@pytest.mark.parametrize("make", [two_binary, two_multiclass, two_regressions])
def test_the_p_value_and_the_interval_say_the_same(make: Make) -> None:
    seen = set()
    for seed, n in enumerate((40, 400, 4000, 4000)):
        for comparison in compare(make(np.random.default_rng(seed), n)):
            low, high = ends(comparison)
            assert comparison.p_value is not None
            if not 0.04 < comparison.p_value < 0.06:  # McNemar's mid-p and Tango's score differ a little
                assert (low > 0 or high < 0) == (comparison.p_value < 0.05), comparison
                seen.add(comparison.p_value < 0.05)
    assert seen == {True, False}


def test_more_confidence_is_a_wider_interval_in_the_order_asked_for() -> None:
    for comparison in compare(two_binary(np.random.default_rng(5)), levels=(0.95, 0.99, 0.8)):
        usual, further = comparison.difference.interval, comparison.difference.further
        assert usual is not None
        assert [usual.level, *(interval.level for interval in further)] == [0.95, 0.99, 0.8]
        assert further[0].low <= usual.low <= further[1].low <= further[1].high <= usual.high <= further[0].high


def test_without_a_champion_there_is_nothing_to_compare() -> None:
    predictions = two_binary(np.random.default_rng(6))
    assert compare(replace(predictions, champion_pred=None, champion_scores=None)) == ()


def test_a_champion_without_scores_is_compared_by_its_classes() -> None:
    predictions = replace(two_binary(np.random.default_rng(6)), champion_scores=None)
    assert {comparison.metric for comparison in compare(predictions)} == {
        name for name, spec in BINARY.items() if not spec.needs_scores
    }


def test_models_that_gave_the_same_answers_are_not_surely_equal() -> None:
    predictions = two_binary(np.random.default_rng(7))
    same = replace(predictions, champion_pred=predictions.y_pred, champion_scores=predictions.scores)
    found = compare(same)
    assert len(found) == len(BINARY)
    for comparison in found:
        low, high = ends(comparison)
        assert comparison.difference.value == 0
        assert low < 0 < high
        assert comparison.p_value == pytest.approx(1, abs=0.05)
    assert [c.difference.interval for c in compare(same)] == [c.difference.interval for c in found]


def test_an_undefined_metric_stays_undefined() -> None:
    predictions = two_binary(np.random.default_rng(8), 60)
    none = replace(predictions, y_true=np.zeros(60, dtype=np.int64))
    for name in ("recall", "auc", "average_precision"):
        found = one(none, name)
        assert math.isnan(found.difference.value)
        assert found.difference.interval is None
        assert found.p_value is None


@pytest.mark.parametrize("name", ["f1", "log_loss"])
def test_the_same_seed_gives_the_same_interval_and_is_recorded(name: str) -> None:
    predictions = two_binary(np.random.default_rng(9), 200)
    first, again, other = (one(predictions, name, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.difference.seed == 3
    assert ends(first) != ends(other)
    width = ends(first)[1] - ends(first)[0]
    assert ends(first) == pytest.approx(ends(other), abs=0.08 * width)


@pytest.mark.parametrize("name", ["f1", "mcc", "precision", "log_loss", "balanced_accuracy"])
def test_bootstrap_and_delta_method_agree_on_many_rows(name: str) -> None:
    few, many = two_binary(np.random.default_rng(10), 4_000), two_binary(np.random.default_rng(10), 40_000)
    drawn, delta = one(few, name), one(many, name)
    assert (drawn.method, delta.method) == ("bca" if name == "log_loss" else "dirichlet", "delta")
    narrower = (ends(delta)[1] - ends(delta)[0]) * math.sqrt(10) / (ends(drawn)[1] - ends(drawn)[0])
    assert narrower == pytest.approx(1, abs=0.12)


def test_clusters_are_what_the_interval_of_a_mean_is_made_of() -> None:
    predictions = two_regressions(np.random.default_rng(11), 30_000, groups=200)
    assert predictions.champion_pred is not None
    assert predictions.group is not None
    gain = np.abs(predictions.y_pred - predictions.y_true) - np.abs(predictions.champion_pred - predictions.y_true)
    sums = np.bincount(predictions.group, gain - gain.mean())
    error = math.sqrt((sums**2).sum() * 200 / 199) / 30_000
    reach = stats.t.ppf(0.975, 199) * error
    found = one(predictions, "mae")
    assert found.method == "cluster delta"
    assert ends(found) == pytest.approx((gain.mean() - reach, gain.mean() + reach), rel=1e-6)


def test_rows_that_repeat_say_no_more_than_once() -> None:
    plain = two_binary(np.random.default_rng(12), 400)
    assert plain.champion_pred is not None
    assert plain.scores is not None
    assert plain.champion_scores is not None
    often = replace(
        plain,
        y_true=plain.y_true.repeat(9),
        y_pred=plain.y_pred.repeat(9),
        scores=plain.scores.repeat(9),
        champion_pred=plain.champion_pred.repeat(9),
        champion_scores=plain.champion_scores.repeat(9),
        group=np.arange(400).repeat(9),
    )
    for name in ("accuracy", "auc", "f1", "log_loss"):
        once, clustered = one(plain, name), one(often, name)
        assert clustered.method.startswith("cluster")
        ratio = (ends(clustered)[1] - ends(clustered)[0]) / (ends(once)[1] - ends(once)[0])
        assert ratio == pytest.approx(1, abs=0.08), name


def test_equal_weights_change_nothing_but_the_method() -> None:
    plain = two_binary(np.random.default_rng(13), 30_000)
    weighted = replace(plain, weight=np.full(30_000, 2.5))
    for name in ("accuracy", "auc", "f1", "log_loss", "average_precision"):
        assert ends(one(weighted, name)) == pytest.approx(ends(one(plain, name)), rel=0.01, abs=2e-5)


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "mcc"])
def test_a_difference_that_is_not_there_is_seldom_found_on_few_rows(name: str) -> None:
    found = [one(two_binary(np.random.default_rng(seed), 60, lift=0.0), name).p_value for seed in range(120)]
    assert np.mean([p_value is not None and p_value < 0.05 for p_value in found]) <= 0.09


@pytest.mark.parametrize(("name", "groups"), [("f1", 0), ("auc", 0), ("accuracy", 60), ("auc", 60)])
def test_intervals_cover_the_true_difference(name: str, groups: int) -> None:
    true = np.mean(
        [one(two_binary(np.random.default_rng(seed), 60_000, lift=0.6), name).difference.value for seed in range(2)]
    )
    hits = []
    for seed in range(60):
        low, high = ends(one(two_binary(np.random.default_rng(1000 + seed), 240, lift=0.6, groups=groups), name))
        hits.append(low <= true <= high)
    assert np.mean(hits) >= 0.88


def test_bca_of_a_mean_is_its_normal_interval_and_skewness_moves_it() -> None:
    rng = np.random.default_rng(14)
    values = rng.exponential(size=200)
    drawn = rng.choice(values, (10_000, 200)).mean(axis=1)
    pull = (values - values.mean()) / 200
    bca = Bca.corrected(drawn, float(values.mean()), pull)
    assert bca is not None
    low, high = bca.interval(0.95)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(200), rel=0.06)
    assert high - values.mean() > values.mean() - low
    assert Bca.corrected(np.full(100, 0.5), 0.5, pull) is None
    assert Bca.of(np.full(100, np.nan)) is None
