"""The field's standard metrics, each in the one form that points, intervals and slices all compute from.

A metric is made of *cells* (the confusion matrix), of *sums* of a few numbers per row, or of the *ranking* of the rows.
The first two are computed for many weightings at once (slices, resamples, leave-one-out) by one call. Imported by the
modules of `evaluation`. Point values equal scikit-learn's; where that answers 0 for an undefined value, this says nan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Task
from signoff.evaluation.predictions import Predictions

Floats = NDArray[np.float64]
Better = Literal["higher", "lower", "zero"]
Kind = Literal["proportion", "auc", "general"]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One model's answers to some rows, in plain arrays. `classes`: how many labels there are."""

    task: Task
    classes: int
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    scores: Floats | None
    weight: Floats

    @property
    def cells(self) -> NDArray[np.int64]:
        """Which cell of the confusion matrix each row is in: ``true * classes + predicted`` (n,)."""
        codes: NDArray[np.int64] = self.y_true * self.classes + self.y_pred
        return codes


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """How one metric is computed, and which way is better (`zero`: bias, for which neither more nor less is).

    One of three forms:
    `of_cells((..., k, k)) -> (...)`: from weighted confusion matrices (true, predicted), many at once;
    `columns(answers) -> (n, m)` with `of_sums((..., m)) -> (...)`: from weighted sums over rows of those columns, the
    last of which is always 1; neither: only `compute`, from the ranking.
    """

    name: str
    better: Better
    needs_scores: bool
    kind: Kind
    compute: Callable[[Answers], float]
    of_cells: Callable[[Floats], Floats] | None = None
    columns: Callable[[Answers], Floats] | None = None
    of_sums: Callable[[Floats], Floats] | None = None
    needs_probability: bool = False
    is_mean: bool = False
    """Whether the metric is the weighted mean of `contributions`."""


METRICS: Mapping[Task, Mapping[str, MetricSpec]] = {}


def answers_of(predictions: Predictions, *, champion: bool = False, rows: NDArray[Any] | None = None) -> Answers | None:
    """The candidate's answers, or the champion's (None where the file has none), to all rows or to `rows`."""
    raise NotImplementedError


def available(predictions: Predictions, *, champion: bool = False) -> tuple[MetricSpec, ...]:
    """The metrics of the task that these columns can give, in their usual order."""
    raise NotImplementedError


def point(
    spec: MetricSpec, predictions: Predictions, rows: NDArray[Any] | None = None, champion: bool = False
) -> float:
    """The metric's value on all rows or on `rows` (indices or a mask); nan when undefined."""
    raise NotImplementedError


def contributions(spec: MetricSpec, predictions: Predictions, champion: bool = False) -> Floats:
    """Each row's part (n,) in a metric that is a mean (`spec.is_mean`): the point is its weighted mean."""
    raise NotImplementedError


def influence(spec: MetricSpec, predictions: Predictions, champion: bool = False) -> Floats:
    """Each row's pull (n,) on the value: the derivative by its weight, times the weight; sums to about 0.

    The infinitesimal jackknife (Jaeckel 1972; Efron 1982): the variance of the value is about the sum of squares of
    these, or of their sums within clusters; that of a paired difference, of the candidate's minus the champion's.
    """
    raise NotImplementedError
