"""What is left out of a picture cannot change what is seen: each way of thinning keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest

from signoff.evaluation.pictures.ranking import rank
from signoff.evaluation.pictures.thinning import by_column, evenly_along, sample, sampled_words

SEEDS = range(5)


def _rising(seed: int, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    is_positive = random.random(n) < 0.1
    ranking = rank(is_positive, random.normal(size=n) + 2 * is_positive)
    assert ranking is not None
    return ranking.fallout, ranking.recall


@pytest.mark.parametrize("seed", SEEDS)
def test_along_a_curve_each_vertex_left_out_is_near_one_that_is_kept(seed: int) -> None:
    x, y = _rising(seed)
    kept = evenly_along(x, y, 500)
    assert len(kept) <= 500
    assert {0, len(x) - 1} <= set(kept.tolist())
    nearest = kept[np.searchsorted(kept, np.arange(len(x)), side="right") - 1]
    assert float(np.max(np.abs(x - x[nearest]) + np.abs(y - y[nearest]))) <= 2 / 499 + 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_by_column_keeps_the_first_last_lowest_and_highest_of_each(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = np.sort(random.random(20_000))
    y = random.normal(size=20_000)
    kept = by_column(x, y, 1000)
    assert len(kept) <= 1000
    column = np.minimum(((x - x[0]) / (x[-1] - x[0]) * 250).astype(int), 249)
    for each in range(250):
        rows = np.flatnonzero(column == each)
        drawn = y[kept[column[kept] == each]]
        assert drawn.min() == y[rows].min()
        assert drawn.max() == y[rows].max()
        assert {rows[0], rows[-1]} <= set(kept.tolist())


def test_by_column_takes_a_falling_x_and_one_that_does_not_move() -> None:
    x = np.linspace(1, 0, 5000)
    assert by_column(x, x, 100)[[0, -1]].tolist() == [0, 4999]
    assert len(by_column(np.zeros(5000), np.arange(5000.0), 100)) == 2


def test_everything_is_kept_where_there_is_room() -> None:
    x = np.linspace(0, 1, 50)
    assert len(evenly_along(x, x, 50)) == len(by_column(x, x, 50)) == len(sample(50, 50, 1)) == 50


def test_a_sample_is_the_same_for_the_same_seed_and_every_row_is_as_likely() -> None:
    assert sample(10_000, 100, 7).tolist() == sample(10_000, 100, 7).tolist()
    assert sample(10_000, 100, 7).tolist() != sample(10_000, 100, 8).tolist()
    times = np.bincount(np.concatenate([sample(20, 5, seed) for seed in range(4000)]), minlength=20)
    assert times.sum() == 20_000
    assert np.all(np.abs(times - 1000) < 5 * np.sqrt(1000 * 0.75))


def test_a_sample_says_that_it_is_one() -> None:
    assert sampled_words(1_000_000, 2000, 7) == "2,000 of 1,000,000 rows, drawn evenly at random (seed 7)"
    assert sampled_words(2000, 2000, 7) == ""


def test_a_ranking_agrees_with_scikit_learn_ties_and_weights_included() -> None:
    from sklearn.metrics import roc_curve

    random = np.random.default_rng(3)
    is_positive = random.random(500) < 0.3
    scores, weight = random.integers(0, 30, 500) / 30, random.random(500)
    ranking = rank(is_positive, scores, weight)
    assert ranking is not None
    fallout, recall, thresholds = roc_curve(is_positive, scores, sample_weight=weight, drop_intermediate=False)
    np.testing.assert_allclose(ranking.fallout, fallout[1:])
    np.testing.assert_allclose(ranking.recall, recall[1:])
    np.testing.assert_allclose(ranking.thresholds, thresholds[1:])


def test_a_ranking_needs_rows_of_both_classes_that_weigh_something() -> None:
    both = np.array([True, False])
    assert rank(np.array([True, True]), np.array([0.1, 0.2])) is None
    assert rank(both, np.array([0.1, 0.2]), np.array([1.0, 0.0])) is None
    assert rank(both, np.array([0.1, 0.2]), np.array([1.0, 0.5])) is not None


def test_between_two_thresholds_the_recall_is_what_tossing_a_coin_gives() -> None:
    ranking = rank(np.array([True, True, False, False]), np.array([0.9, 0.5, 0.5, 0.1]))
    assert ranking is not None
    assert ranking.recall_at_alarms(0.0) == 0.5
    assert ranking.recall_at_alarms(0.25) == 0.75
    assert ranking.recall_at_alarms(0.5) == 1.0
    assert ranking.recall_at_alarms(1.0) == 1.0
    assert ranking.precision_at_recall(0.5) == 1.0
    assert ranking.precision_at_recall(0.8) == pytest.approx(2 / 3)
