"""The field's standard metrics, each in the one form that points, intervals and slices all compute from.

A metric is a function of *sums over rows* (of the confusion matrix's margins, or of a few columns), computed for many
weightings at once (slices, resamples, clusters) by one call, or it depends on the *ranking* of the rows. Imported by
the modules of `evaluation`. Points equal scikit-learn's; where that answers 0 for an undefined value, this says nan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Task
from signoff.evaluation import confusion, numbers, ranked
from signoff.evaluation.answers import Answers, answers_of
from signoff.evaluation.predictions import Predictions

__all__ = [
    "METRICS",
    "Answers",
    "MetricSpec",
    "answers_of",
    "available",
    "contributions",
    "gradient",
    "influence",
    "influence_of",
    "point",
    "spec_of",
    "sums_by",
    "value_of",
]

Floats = NDArray[np.float64]
Better = Literal["higher", "lower", "zero"]
Kind = Literal["proportion", "auc", "general"]
Scale = Literal["identity", "logit", "log", "fisher"]
Pair = tuple[NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """How one metric is computed, and which way is better (`zero`: bias, for which neither more nor less is).

    `of_sums((..., *shape)) -> (...)`: the metric from sums over rows, many at once; None where it is of the ranking.
    `columns(answers) -> (n, m)`: the columns to sum, the last of which is 1; None: the margins (3, k) are summed.
    `of_ranking(answers) -> value, influence (n,)`: for what is not a function of sums.
    `trials(answers)`: for a proportion, which rows count as tried and which of those as successes.
    `scale`: where its sampling distribution is nearest to the normal one.
    """

    name: str
    better: Better
    needs_scores: bool
    kind: Kind
    scale: Scale
    of_sums: Callable[[Floats], Floats] | None = None
    columns: Callable[[Answers], Floats] | None = None
    of_ranking: Callable[[Answers], tuple[float, Floats]] | None = None
    trials: Callable[[Answers], Pair] | None = None
    needs_probability: bool = False

    @property
    def is_mean(self) -> bool:
        """Whether the metric is the weighted mean of `contributions`."""
        return self.name in _MEANS

    def compute(self, answers: Answers) -> float:
        """The metric of these answers; nan when undefined."""
        return value_of(self, answers)


_MEANS = frozenset({"accuracy", "log_loss", "brier", "mae", "mse", "bias", "mape"})


def _table(*specs: MetricSpec) -> Mapping[str, MetricSpec]:
    return {spec.name: spec for spec in specs}


def _proportion(name: str, of_sums: Callable[[Floats], Floats], trials: Callable[[Answers], Pair]) -> MetricSpec:
    return MetricSpec(
        name, "higher", needs_scores=False, kind="proportion", scale="logit", of_sums=of_sums, trials=trials
    )


def _of_cells(name: str, of_sums: Callable[[Floats], Floats], scale: Scale = "logit") -> MetricSpec:
    return MetricSpec(name, "higher", needs_scores=False, kind="general", scale=scale, of_sums=of_sums)


def _score(name: str, columns: Callable[[Answers], Floats]) -> MetricSpec:
    return MetricSpec(
        name,
        "lower",
        needs_scores=True,
        kind="general",
        scale="log",
        of_sums=numbers.mean,
        columns=columns,
        needs_probability=True,
    )


def _ranked(name: str, of_ranking: Callable[[Answers], tuple[float, Floats]], kind: Kind) -> MetricSpec:
    return MetricSpec(name, "higher", needs_scores=True, kind=kind, scale="logit", of_ranking=of_ranking)


def _number(
    name: str,
    better: Better,
    scale: Scale,
    columns: Callable[[Answers], Floats] | None = None,
    of_sums: Callable[[Floats], Floats] | None = numbers.mean,
    of_ranking: Callable[[Answers], tuple[float, Floats]] | None = None,
) -> MetricSpec:
    return MetricSpec(
        name,
        better,
        needs_scores=False,
        kind="general",
        scale=scale,
        of_sums=of_sums,
        columns=columns,
        of_ranking=of_ranking,
    )


def _right(answers: Answers) -> Pair:
    right = answers.y_true == answers.y_pred
    return right, np.ones_like(right)


def _right_of(which: Literal["predicted", "true"], label: int) -> Callable[[Answers], Pair]:
    def trials(answers: Answers) -> Pair:
        tried = (answers.y_pred if which == "predicted" else answers.y_true) == label
        return tried & (answers.y_true == answers.y_pred), tried

    return trials


METRICS: Mapping[Task, Mapping[str, MetricSpec]] = {
    Task.BINARY: _table(
        _proportion("accuracy", confusion.accuracy, _right),
        _of_cells("balanced_accuracy", confusion.balanced_accuracy),
        _proportion("precision", confusion.precision, _right_of("predicted", 1)),
        _proportion("recall", confusion.recall, _right_of("true", 1)),
        _proportion("specificity", confusion.specificity, _right_of("true", 0)),
        _of_cells("f1", confusion.f1),
        _of_cells("mcc", confusion.mcc, "fisher"),
        _ranked("auc", ranked.auc, "auc"),
        _ranked("average_precision", ranked.average_precision, "general"),
        _score("log_loss", numbers.log_losses),
        _score("brier", numbers.brier),
    ),
    Task.MULTICLASS: _table(
        _proportion("accuracy", confusion.accuracy, _right),
        _of_cells("balanced_accuracy", confusion.balanced_accuracy),
        _of_cells("macro_precision", confusion.macro_precision),
        _of_cells("macro_recall", confusion.macro_recall),
        _of_cells("macro_f1", confusion.macro_f1),
        _of_cells("mcc", confusion.mcc, "fisher"),
        _score("log_loss", numbers.log_losses),
        _ranked("auc", ranked.macro_auc, "auc"),
    ),
    Task.REGRESSION: _table(
        _number("mae", "lower", "log", numbers.absolute_errors),
        _number("rmse", "lower", "log", numbers.squared_errors, numbers.root_mean),
        _number("mse", "lower", "log", numbers.squared_errors),
        _number("r2", "higher", "identity", numbers.squares, numbers.r2),
        _number("bias", "zero", "identity", numbers.errors),
        _number("median_absolute_error", "lower", "log", None, None, ranked.median_absolute_error),
        _number("mape", "lower", "log", numbers.relative_errors),
    ),
}


def spec_of(task: Task, name: str) -> MetricSpec | None:
    """The metric of that name, if the task has it."""
    return METRICS[task].get(name)


def available(predictions: Predictions, *, champion: bool = False) -> tuple[MetricSpec, ...]:
    """The metrics of the task that these columns can give, in their usual order."""
    answers = answers_of(predictions, champion=champion)
    if answers is None:
        return ()
    return tuple(
        spec
        for spec in METRICS[predictions.task].values()
        if not spec.needs_scores
        or (answers.scores is not None and not (spec.needs_probability and not answers.has_probabilities))
    )


def point(
    spec: MetricSpec, predictions: Predictions, rows: NDArray[Any] | None = None, champion: bool = False
) -> float:
    """The metric's value on all rows or on `rows` (indices or a mask); nan when undefined."""
    answers = answers_of(predictions, champion=champion, rows=rows)
    return float("nan") if answers is None else value_of(spec, answers)


def value_of(spec: MetricSpec, answers: Answers) -> float:
    """The metric of these answers; nan when undefined."""
    if not len(answers.y_true) or _lacks_scores(spec, answers):
        return float("nan")
    if spec.of_ranking is not None:
        return spec.of_ranking(answers)[0]
    return float(_of_sums(spec)(_totals(spec, answers)))


def sums_by(spec: MetricSpec, answers: Answers, codes: NDArray[Any], size: int) -> Floats:
    """The sums (size, ...) over the rows of each code, for `spec.of_sums`; a negative code counts nowhere."""
    if spec.columns is None:
        return confusion.margins_by(answers.y_true, answers.y_pred, answers.weight, codes, size, answers.classes)
    keep = codes >= 0
    columns, weight = spec.columns(answers), answers.weight
    if not keep.all():
        columns, weight, codes = columns[keep], weight[keep], codes[keep]
    parts = [np.bincount(codes, columns[:, number] * weight, size) for number in range(columns.shape[1])]
    return np.stack(parts, axis=-1)


def contributions(spec: MetricSpec, predictions: Predictions, champion: bool = False) -> Floats:
    """Each row's part (n,) in a metric that is a mean (`spec.is_mean`): the point is its weighted mean."""
    answers = answers_of(predictions, champion=champion)
    if answers is None or not spec.is_mean or _lacks_scores(spec, answers):
        return np.full(predictions.n, np.nan)
    if spec.columns is None:
        return np.where(answers.y_true == answers.y_pred, 1.0, 0.0)
    parts: Floats = spec.columns(answers)[:, 0]
    return parts


def influence(spec: MetricSpec, predictions: Predictions, champion: bool = False) -> Floats:
    """Each row's pull (n,) on the value: the derivative by its weight, times the weight; sums to about 0.

    The infinitesimal jackknife (Jaeckel 1972; Efron 1982): the variance of the value is about the sum of squares of
    these, or of their sums within clusters; that of a paired difference, of the candidate's minus the champion's.
    """
    answers = answers_of(predictions, champion=champion)
    return np.full(predictions.n, np.nan) if answers is None else influence_of(spec, answers)


def influence_of(spec: MetricSpec, answers: Answers) -> Floats:
    """As `influence`, of answers."""
    if not len(answers.y_true) or _lacks_scores(spec, answers):
        return np.full(len(answers.y_true), np.nan)
    if spec.of_ranking is not None:
        return spec.of_ranking(answers)[1]
    slope = gradient(spec, _totals(spec, answers))
    if spec.columns is not None:
        pull: Floats = spec.columns(answers) @ slope
    else:
        pull = slope[1][answers.y_true] + slope[2][answers.y_pred]
        pull = pull + np.where(answers.y_true == answers.y_pred, slope[0][answers.y_true], 0.0)
    weighted: Floats = pull * answers.weight
    return weighted


def gradient(spec: MetricSpec, sums: Floats) -> Floats:
    """The derivative of `spec.of_sums` by each of the sums, in their shape, by central differences."""
    flat = sums.reshape(-1)
    step = 1e-5 * np.where(flat == 0, np.abs(flat).max(initial=1e-300), np.abs(flat))
    moves = np.diag(step)
    shape = (len(flat), *sums.shape)
    of_sums = _of_sums(spec)
    ahead, behind = of_sums((flat + moves).reshape(shape)), of_sums((flat - moves).reshape(shape))
    slope: Floats = np.asarray((ahead - behind) / (2 * step)).reshape(sums.shape)
    if spec.columns is None:
        slope[sums == 0] = 0.0  # no row is in an empty margin
    return np.asarray(slope)


def _totals(spec: MetricSpec, answers: Answers) -> Floats:
    totals: Floats = sums_by(spec, answers, np.zeros(len(answers.y_true), np.int64), 1)[0]
    return totals


def _of_sums(spec: MetricSpec) -> Callable[[Floats], Floats]:
    if spec.of_sums is None:
        raise TypeError(f"{spec.name} is not a function of sums")
    return spec.of_sums


def _lacks_scores(spec: MetricSpec, answers: Answers) -> bool:
    return spec.needs_scores and (answers.scores is None or (spec.needs_probability and not answers.has_probabilities))
