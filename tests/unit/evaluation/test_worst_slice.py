"""The search for the worst slice finds what was planted, and cries wolf no more often than it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from paired_arrays import columns, rows_where, two_binary, two_regressions
from signoff.domain.evidence import Task
from signoff.evaluation.metrics import METRICS
from signoff.evaluation.multiplicity import benjamini_yekutieli
from signoff.evaluation.slice_search import worst_slices
from signoff.evaluation.slicing import Slicing
from signoff.evaluation.worst_slice import MOST_VALUES, search

BINARY = METRICS[Task.BINARY]


def cuts(rng: np.random.Generator, n: int, *sizes: int) -> list[Slicing]:
    return list(columns(rng, n, sizes).values())


@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_a_planted_pair_is_found_and_its_echoes_are_not_named(kind: str) -> None:
    rng = np.random.default_rng(1)
    slicings = cuts(rng, 20_000, 3, 4, 5)
    bad = (slicings[0].codes == 2) & (slicings[2].codes == 1)
    losses = (
        (rng.random(20_000) < np.where(bad, 0.35, 0.1)).astype(float)
        if kind == "binary"
        else rng.gamma(1, np.where(bad, 2.0, 1.0))
    )
    answer = search(losses, slicings)
    assert [(found.columns, found.codes) for found in answer.found] == [(("c0", "c2"), (2, 1))]
    found = answer.found[0]
    assert found.n == bad.sum()
    assert found.excess == pytest.approx(losses[bad].mean() - losses[~bad].mean())
    assert 0 < found.surely < found.excess
    assert answer.level > 0.99


def test_a_planted_value_is_named_once_and_not_with_every_other_column() -> None:
    rng = np.random.default_rng(2)
    slicings = cuts(rng, 20_000, 3, 4, 5)
    bad = slicings[1].codes == -1
    losses = (rng.random(20_000) < np.where(bad, 0.3, 0.1)).astype(float)
    assert [(found.columns, found.codes) for found in search(losses, slicings).found] == [(("c1",), (-1,))]


def test_two_planted_slices_are_both_found_worst_first() -> None:
    rng = np.random.default_rng(3)
    slicings = cuts(rng, 30_000, 4, 4)
    chance = np.full(30_000, 0.1)
    chance[slicings[0].codes == 1] = 0.2
    chance[slicings[1].codes == 3] = 0.3
    answer = search((rng.random(30_000) < chance).astype(float), slicings)
    named = [(found.columns, found.codes) for found in answer.found]
    assert (("c1",), (3,)) in named
    assert (("c0",), (1,)) in named
    excess = [found.surely for found in answer.found]
    assert excess == sorted(excess, reverse=True)


def test_the_p_values_are_fishers_for_right_and_wrong() -> None:
    rng = np.random.default_rng(4)
    slicings = cuts(rng, 600, 3)
    losses = (rng.random(600) < np.where(slicings[0].codes == 0, 0.3, 0.1)).astype(float)
    by_hand = []
    for code in range(3):
        inside = slicings[0].codes == code
        table = [
            [losses[inside].sum(), (1 - losses[inside]).sum()],
            [losses[~inside].sum(), (1 - losses[~inside]).sum()],
        ]
        by_hand.append(stats.fisher_exact(table, alternative="greater").pvalue)
    assert search(losses, slicings).found[0].p_adjusted == pytest.approx(float(benjamini_yekutieli(by_hand)[0]))


@pytest.mark.parametrize("kind", ["binary", "heavy tails", "clustered"])
def test_of_nothing_but_chance_hardly_anything_is_found(kind: str) -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(150):
        slicings = cuts(rng, 1000, 2, 3, 5, 8)
        group = None
        if kind == "binary":
            losses = (rng.random(1000) < 0.05).astype(float)
        elif kind == "heavy tails":
            losses = rng.lognormal(sigma=2, size=1000)
        else:  # a cluster's rows have like losses, and one of the columns is the same for all of them
            group = rng.integers(0, 100, 1000)
            losses = rng.normal(size=100)[group] + 0.5 * rng.normal(size=1000)
            slicings.append(Slicing("c4", ("a", "b", "c"), rng.integers(0, 3, 100).astype(np.int32)[group]))
        found += bool(search(losses, slicings, group=group).found)
    assert found / 150 <= 0.05


def test_without_knowing_of_clusters_chance_would_be_taken_for_a_slice() -> None:
    rng = np.random.default_rng(6)
    group = rng.integers(0, 40, 4000)
    losses = rng.normal(size=40)[group] + 0.2 * rng.normal(size=4000)
    slicings = [Slicing("site", tuple("abcd"), rng.integers(0, 4, 40).astype(np.int32)[group])]
    assert search(losses, slicings).found
    assert not search(losses, slicings, group=group).found


def test_the_share_of_false_alarms_is_kept_among_what_is_found() -> None:
    rng = np.random.default_rng(7)
    shares, hits = [], 0
    for _ in range(80):
        slicings = cuts(rng, 3000, 4, 4, 4)
        bad = slicings[0].codes == 0
        losses = (rng.random(3000) < np.where(bad, 0.2, 0.1)).astype(float)
        found = search(losses, slicings, most=100).found
        # False: a slice whose true mean loss is not above the rest's, which is one that says nothing of c0 v0.
        false = [item for item in found if ("c0", 0) not in zip(item.columns, item.codes, strict=True)]
        shares.append(len(false) / max(len(found), 1))
        hits += bool(len(found) > len(false))
    assert np.mean(shares) <= 0.05
    assert hits >= 72


def test_slices_with_few_rows_are_not_looked_at() -> None:
    rng = np.random.default_rng(8)
    slicings = [Slicing("id", tuple(map(str, range(500))), (np.arange(1000) % 500).astype(np.int32))]
    answer = search(rng.random(1000), slicings)
    assert (answer.looked_at, answer.found) == (0, ())


def test_what_is_left_out_is_said() -> None:
    rng = np.random.default_rng(9)
    answer = search(rng.random(20_000), cuts(rng, 20_000, MOST_VALUES + 50, 2))
    assert answer.looked_at > MOST_VALUES + 50
    assert answer.left_out == (
        f"of columns with many values, the {MOST_VALUES} most frequent were combined with others",
    )
    many = search(rng.random(100), cuts(rng, 100, *[2] * 30))
    assert many.left_out == ("only the first 25 of 30 columns were searched",)


def test_what_was_found_is_a_slice_like_any_other() -> None:
    rng = np.random.default_rng(10)
    predictions = two_binary(rng, 20_000, slices=(3, 4, 5))
    bad = rows_where(predictions, c0=1, c2=3)
    flip = bad & (rng.random(20_000) < 0.4)
    predictions = replace(predictions, y_pred=np.where(flip, 1 - predictions.y_pred, predictions.y_pred))
    answer = worst_slices(predictions, BINARY["accuracy"])
    assert len(answer.results) == 1
    result = answer.results[0]
    assert (result.label, result.n, result.status) == ("c0 v1, c2 v3", int(bad.sum()), "worse")
    assert result.value == pytest.approx((predictions.y_pred == predictions.y_true)[bad].mean())
    assert result.to_rest is not None
    assert result.to_rest < -0.1
    assert result.to_champion is not None
    assert result.to_champion.value < -0.1
    assert result.interval is not None
    assert result.interval.level > 0.99
    assert answer.sentence.endswith("slices of one or two columns, 1 is surely worse than the rest by accuracy.")


def test_recall_is_searched_among_the_rows_that_it_looks_at() -> None:
    rng = np.random.default_rng(11)
    predictions = two_binary(rng, 20_000, slices=(3, 4))
    missed = rows_where(predictions, c1=2) & (predictions.y_true == 1) & (rng.random(20_000) < 0.6)
    predictions = replace(predictions, y_pred=np.where(missed, 0, predictions.y_pred))
    results = worst_slices(predictions, BINARY["recall"]).results
    assert [(result.columns, result.values, result.metric) for result in results] == [(("c1",), ("v2",), "recall")]


def test_a_metric_that_no_row_has_is_searched_by_its_nearest_and_says_so() -> None:
    predictions = two_binary(np.random.default_rng(12), 2000, slices=(3,))
    assert "by log_loss (searched instead of auc" in worst_slices(predictions, BINARY["auc"]).sentence
    without = replace(predictions, scores=None)
    assert "by accuracy (searched instead of f1" in worst_slices(without, BINARY["f1"]).sentence
    numbers = two_regressions(np.random.default_rng(12), 2000, slices=(3,))
    assert "by mse (searched instead of rmse" in worst_slices(numbers, METRICS[Task.REGRESSION]["rmse"]).sentence


def test_without_columns_there_is_nothing_to_search() -> None:
    answer = worst_slices(two_binary(np.random.default_rng(13)), BINARY["accuracy"])
    assert (answer.results, answer.looked_at, answer.sentence) == ((), 0, "No columns to search.")
