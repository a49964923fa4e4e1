"""Metrics that are no function of sums: each gives its value and every row's pull on it.

Imported by `metrics`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation.answers import Answers
from signoff.evaluation.auc import area, area_influence, precision_influence, precision_sum

Floats = NDArray[np.float64]


def auc(answers: Answers) -> tuple[float, Floats]:
    """The area under the ROC curve of the positive class's score."""
    ranking = answers.ranking(1)
    return area(ranking), area_influence(ranking)


def macro_auc(answers: Answers) -> tuple[float, Floats]:
    """The mean, over the classes that occur, of the area of each class against the rest."""
    values, pulls = [], np.zeros(len(answers.y_true))
    for label in range(answers.classes):
        ranking = answers.ranking(label)
        value = area(ranking)
        if not np.isnan(value):
            values.append(value)
            pulls += area_influence(ranking)
    if not values:
        return float("nan"), np.full(len(answers.y_true), np.nan)
    return float(np.mean(values)), pulls / len(values)


def average_precision(answers: Answers) -> tuple[float, Floats]:
    """The mean precision at the positive rows' scores."""
    ranking = answers.ranking(1)
    return precision_sum(ranking), precision_influence(ranking)


def median_absolute_error(answers: Answers) -> tuple[float, Floats]:
    """The weighted median size of the error, and pulls from the slope of its quantiles around the middle."""
    sizes = np.abs(answers.y_pred - answers.y_true)
    value = weighted_quantile(sizes, answers.weight, 0.5)
    total = answers.weight.sum()
    # A pull needs the density at the median: over a window that shrinks slowly (Woodruff 1952; Maritz & Jarrett 1978).
    window = min(0.5, 1.0 / np.sqrt(max(total**2 / max((answers.weight**2).sum(), 1e-300), 1.0)))
    low = weighted_quantile(sizes, answers.weight, 0.5 - window / 2)
    high = weighted_quantile(sizes, answers.weight, 0.5 + window / 2)
    side = np.where(sizes < value, -0.5, np.where(sizes > value, 0.5, 0.0))
    return value, side * answers.weight / total * (high - low) / window


def weighted_quantile(values: Floats, weight: Floats, part: float) -> float:
    """The value below which `part` of the weight lies; between two, their mean (as in scikit-learn)."""
    keep = weight > 0
    if not keep.any():
        return float("nan")
    values, weight = values[keep], weight[keep]
    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], np.cumsum(weight[order])
    goal = part * reached[-1]
    at = min(int(np.searchsorted(reached, goal)), len(ordered) - 1)
    if abs(reached[at] - goal) <= np.finfo(float).eps * max(1.0, goal):
        return float((ordered[at] + ordered[min(at + 1, len(ordered) - 1)]) / 2)
    return float(ordered[at])
