"""Metrics that are made of a number per row: losses of scores, and errors of regression.

Imported by `metrics`. A function of answers gives the columns to sum (n, m), the last of which is 1; a function of sums
(..., m) gives the metric.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation.answers import Answers
from signoff.evaluation.confusion import ratio

Floats = NDArray[np.float64]


def _with_ones(*columns: NDArray[Any]) -> Floats:
    return np.stack([*columns, np.ones(len(columns[0]))], axis=1)


def log_losses(answers: Answers) -> Floats:
    """Minus the logarithm of the score of what was true; scores are kept off 0 and 1 by one machine epsilon."""
    scores = answers.scores
    if scores is None:
        raise TypeError("no scores")
    chosen = np.where(answers.y_true == 1, scores, 1 - scores) if scores.ndim == 1 else _chosen(scores, answers.y_true)
    tiny = np.finfo(float).eps
    return _with_ones(-np.log(np.clip(chosen, tiny, 1 - tiny)))


def _chosen(scores: Floats, y_true: NDArray[Any]) -> Floats:
    column: Floats = np.take_along_axis(scores, y_true[:, None], axis=1)[:, 0]
    return column


def brier(answers: Answers) -> Floats:
    """The squared distance of the positive class's score from what was true (Brier 1950)."""
    if answers.scores is None:
        raise TypeError("no scores")
    return _with_ones((answers.scores - answers.y_true) ** 2)


def errors(answers: Answers) -> Floats:
    """Predicted minus true."""
    return _with_ones(answers.y_pred - answers.y_true)


def absolute_errors(answers: Answers) -> Floats:
    """The size of the error."""
    return _with_ones(np.abs(answers.y_pred - answers.y_true))


def squared_errors(answers: Answers) -> Floats:
    """The square of the error."""
    return _with_ones((answers.y_pred - answers.y_true) ** 2)


def relative_errors(answers: Answers) -> Floats:
    """The size of the error as a part of the true value; nan for every row when a true value is 0."""
    size = np.abs(answers.y_true)
    if not (size > 0).all():
        return _with_ones(np.full(len(size), np.nan))
    return _with_ones(np.abs(answers.y_pred - answers.y_true) / size)


def squares(answers: Answers) -> Floats:
    """The squared error, and the true value (from its mean, so that no digits are lost) and its square."""
    away = answers.y_true - (answers.y_true.mean() if len(answers.y_true) else 0.0)
    return _with_ones((answers.y_pred - answers.y_true) ** 2, away, away**2)


def mean(sums: Floats) -> Floats:
    """The weighted mean of the first column."""
    return ratio(sums[..., 0], sums[..., -1])


def root_mean(sums: Floats) -> Floats:
    """The root of the weighted mean of the first column."""
    return np.sqrt(np.maximum(mean(sums), 0.0))


def r2(sums: Floats) -> Floats:
    """The part of the variance explained; nan when every true value is the same."""
    square, away, away_square, weight = (sums[..., number] for number in range(4))
    spread = away_square - ratio(away**2, weight)
    tiny = 8 * np.finfo(float).eps * away_square
    return 1 - ratio(square, np.where(spread > tiny, spread, 0.0))
