"""One model's answers to the rows of a test set, in plain arrays: what every metric is computed from.

Imported by the modules of `evaluation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Task
from signoff.evaluation.auc import Ranking, ranking_of
from signoff.evaluation.predictions import Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one model answered. `classes`: how many labels there are (0 for regression); `weight` is always there."""

    task: Task
    classes: int
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    scores: NDArray[np.float64] | None
    weight: NDArray[np.float64]
    is_weighted: bool = False
    rankings: dict[int, Ranking] = field(default_factory=dict, repr=False)
    """Of each class, kept here once sorted: several metrics, their values and pulls, need the same one."""

    @property
    def cells(self) -> NDArray[np.int64]:
        """Which cell of the confusion matrix each row is in: ``true * classes + predicted`` (n,)."""
        codes: NDArray[np.int64] = self.y_true * self.classes + self.y_pred
        return codes

    def ranking(self, label: int) -> Ranking:
        """The rows by the score of one class; of two classes, of the positive one."""
        if self.scores is None:
            raise TypeError("no scores")
        if self.scores.ndim > 1:  # not kept: many classes would fill the memory
            return ranking_of(self.y_true == label, self.scores[:, label], self.weight)
        if label not in self.rankings:
            self.rankings[label] = ranking_of(self.y_true == label, self.scores, self.weight)
        return self.rankings[label]

    @property
    def has_probabilities(self) -> bool:
        """Whether every score is between 0 and 1."""
        return self.scores is not None and bool(((self.scores >= 0) & (self.scores <= 1)).all())


def answers_of(predictions: Predictions, *, champion: bool = False, rows: NDArray[Any] | None = None) -> Answers | None:
    """The candidate's answers, or the champion's (None where the file has none), to all rows or to `rows`."""
    y_pred = predictions.champion_pred if champion else predictions.y_pred
    scores = predictions.champion_scores if champion else predictions.scores
    if y_pred is None:
        return None
    weight = np.ones(predictions.n) if predictions.weight is None else predictions.weight
    y_true = predictions.y_true
    if rows is not None:
        y_true, y_pred, weight = y_true[rows], y_pred[rows], weight[rows]
        scores = None if scores is None else scores[rows]
    return Answers(
        predictions.task, len(predictions.labels), y_true, y_pred, scores, weight, predictions.weight is not None
    )
