"""How a score ranks the rows of two classes: hits and false alarms at every threshold, which three pictures share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation.pictures.thinning import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Weighted hits and false alarms when everything that scores at least `thresholds` is flagged.

    One entry per different score, from the highest down. `positives` and `negatives` count rows, whatever
    they weigh.
    """

    thresholds: Floats
    hits: Floats
    alarms: Floats
    positives: int
    negatives: int

    @property
    def recall(self) -> Floats:
        """Share of the positives that is flagged (true positive rate)."""
        share: Floats = self.hits / self.hits[-1]
        return share

    @property
    def fallout(self) -> Floats:
        """Share of the negatives that is flagged (false positive rate)."""
        share: Floats = self.alarms / self.alarms[-1]
        return share

    @property
    def precision(self) -> Floats:
        """Share of the flagged that is positive; nan where all that is flagged weighs nothing."""
        flagged = self.hits + self.alarms
        with np.errstate(invalid="ignore"):
            return self.hits / flagged

    def recall_at_alarms(self, share: float) -> float:
        """The recall when `share` of the negatives is flagged: between two thresholds, what tossing a coin gives."""
        x = np.concatenate(([0.0], self.fallout))
        y = np.concatenate(([0.0], self.recall))
        last = int(np.searchsorted(x, share, side="right")) - 1
        if last == len(x) - 1:
            return float(y[last])
        part = (share - x[last]) / (x[last + 1] - x[last])
        return float(y[last] + part * (y[last + 1] - y[last]))

    def precision_at_recall(self, share: float) -> float:
        """The best precision of the thresholds that catch at least `share` of the positives."""
        return float(np.nanmax(self.precision[self.recall >= share - 1e-12]))


def rank(is_positive: NDArray[np.bool_], scores: NDArray[Any], weight: Floats | None = None) -> Ranking | None:
    """The ranking of these rows; None where a class has no rows, or none of any weight."""
    positives = int(np.count_nonzero(is_positive))
    if positives in {0, len(is_positive)}:
        return None
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last_of_ties = np.flatnonzero(np.concatenate((ordered[1:] != ordered[:-1], [True])))
    weights = np.ones(len(scores)) if weight is None else weight[order]
    hit = is_positive[order]
    hits = np.cumsum(np.where(hit, weights, 0.0))[last_of_ties]
    alarms = np.cumsum(np.where(hit, 0.0, weights))[last_of_ties]
    if hits[-1] <= 0 or alarms[-1] <= 0:
        return None
    return Ranking(ordered[last_of_ties], hits, alarms, positives, len(is_positive) - positives)
