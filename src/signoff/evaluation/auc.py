"""What depends on the ranking of the rows: the area under the ROC curve, and average precision, with each row's pull.

Imported by `metrics` and `intervals`. O(n log n), ties and weights included; nothing loops over rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Rows in order of their score, highest first, with equal scores in one group.

    `order`: row numbers; `groups`: which group each row (in order) is in; `positive`, `weight`: in order;
    `above_positive`, `above_negative`: weight in all groups before each group; `in_positive`, `in_negative`: in it.
    """

    order: NDArray[np.int64]
    groups: NDArray[np.int64]
    positive: NDArray[np.bool_]
    weight: Floats
    above_positive: Floats
    above_negative: Floats
    in_positive: Floats
    in_negative: Floats

    @property
    def positives(self) -> float:
        """The weight of the positive rows."""
        return float(self.in_positive.sum())

    @property
    def negatives(self) -> float:
        """The weight of the negative rows."""
        return float(self.in_negative.sum())

    def by_row(self, in_order: Floats) -> Floats:
        """Values in order, put back to the rows they belong to."""
        rows = np.empty_like(in_order)
        rows[self.order] = in_order
        return rows


def ranking_of(positive: NDArray[Any], scores: Floats, weight: Floats) -> Ranking:
    """Sort the rows by score, once for everything that needs the ranking."""
    order = np.argsort(-scores, kind="stable")
    ordered, is_positive, weights = scores[order], positive[order].astype(bool), weight[order]
    groups = np.zeros(len(order), np.int64)
    np.cumsum(ordered[1:] != ordered[:-1], out=groups[1:])
    size = int(groups[-1]) + 1 if len(order) else 0
    in_positive: Floats = np.bincount(groups, np.where(is_positive, weights, 0.0), size).astype(np.float64)
    in_negative: Floats = np.bincount(groups, np.where(is_positive, 0.0, weights), size).astype(np.float64)
    return Ranking(
        order,
        groups,
        is_positive,
        weights,
        np.cumsum(in_positive) - in_positive,
        np.cumsum(in_negative) - in_negative,
        in_positive,
        in_negative,
    )


def area(ranking: Ranking) -> float:
    """The area under the ROC curve: the chance that a positive row outranks a negative one, ties half."""
    positives, negatives = ranking.positives, ranking.negatives
    if positives <= 0 or negatives <= 0:
        return float("nan")
    below = negatives - ranking.above_negative - ranking.in_negative / 2
    return float((ranking.in_positive * below).sum() / (positives * negatives))


def area_influence(ranking: Ranking) -> Floats:
    """Each row's pull on the area, in the file's order: DeLong's structural components less the area, scaled.

    The sum of their squares is DeLong's variance (DeLong, DeLong, Clarke-Pearson 1988; computed as Sun & Xu 2014 do,
    by ranks) with m and n where DeLong has m - 1 and n - 1, which is put right here.
    """
    value, positives, negatives = area(ranking), ranking.positives, ranking.negatives
    if np.isnan(value):
        return np.full(len(ranking.order), np.nan)
    of_positive = (negatives - ranking.above_negative - ranking.in_negative / 2) / negatives
    of_negative = (ranking.above_positive + ranking.in_positive / 2) / positives
    pull = np.where(
        ranking.positive,
        (of_positive[ranking.groups] - value) / positives * _unbiased(ranking, positive=True),
        (of_negative[ranking.groups] - value) / negatives * _unbiased(ranking, positive=False),
    )
    return ranking.by_row(pull * ranking.weight)


def _unbiased(ranking: Ranking, *, positive: bool) -> float:
    """The factor sqrt(m / (m - 1)) of one class's `m` rows that have weight."""
    rows = np.count_nonzero((ranking.positive == positive) & (ranking.weight > 0))
    return float(np.sqrt(rows / (rows - 1))) if rows > 1 else 1.0


def precision_sum(ranking: Ranking) -> float:
    """Average precision: the mean, over positive rows, of the precision at their score (scikit-learn's definition)."""
    positives = ranking.positives
    if positives <= 0:
        return float("nan")
    found = ranking.above_positive + ranking.in_positive
    called = found + ranking.above_negative + ranking.in_negative
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(called > 0, found / called, 0.0)
    return float((ranking.in_positive * precision).sum() / positives)


def precision_influence(ranking: Ranking) -> Floats:
    """Each row's pull on average precision, in the file's order: the derivative by its weight, times it."""
    value, positives = precision_sum(ranking), ranking.positives
    if np.isnan(value):
        return np.full(len(ranking.order), np.nan)
    found = ranking.above_positive + ranking.in_positive
    called = found + ranking.above_negative + ranking.in_negative
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(called > 0, found / called, 0.0)
        one_more = np.where(called > 0, ranking.in_positive / called, 0.0)
    # A row changes the precision at its own score and at every lower one.
    alarm = np.cumsum((one_more * precision)[::-1])[::-1] / positives
    hit = np.cumsum(one_more[::-1])[::-1] / positives
    pull = np.where(
        ranking.positive,
        ((precision - value) / positives + hit - alarm)[ranking.groups],
        -alarm[ranking.groups],
    )
    return ranking.by_row(pull * ranking.weight)


def newcombe(value: float, positives: float, negatives: float, level: float) -> tuple[float, float]:
    """A score interval for the area that is honest at 0 and 1, where DeLong's variance is nought.

    Newcombe 2006, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2",
    method 5: the areas whose own variance (Hanley & McNeil's, with one common size) allows the one that was seen.
    """
    if positives <= 0 or negatives <= 0:
        return 0.0, 1.0
    z = float(norm.ppf(0.5 + level / 2))
    size = (positives + negatives) / 2 - 1

    def distance(area: float) -> float:
        spread = area * (1 - area) * (1 + size * (1 - area) / (2 - area) + size * area / (1 + area))
        return float((value - area) ** 2 - z * z * spread / (positives * negatives))

    tiny = 1e-9  # at 0 and 1 themselves the distance is nought without being an end
    low = 0.0 if value <= tiny else float(brentq(distance, 0.0, min(value, 1 - tiny)))
    high = 1.0 if value >= 1 - tiny else float(brentq(distance, max(value, tiny), 1.0))
    return low, high
