"""The worst slice that nobody asked about: the automatic search, put into the words of slices.

Imported by the modules of `evaluation`, and by `engine`'s worker code inside functions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import SliceResult
from signoff.evaluation.answers import answers_of
from signoff.evaluation.cut import Cut
from signoff.evaluation.metrics import METRICS, MetricSpec, available, contributions
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.slices import judge
from signoff.evaluation.slicing import EMPTY, Slicing
from signoff.evaluation.worst_slice import Found, search

Floats = NDArray[np.float64]

_STANDS_FOR = {"rmse": ("mse",), "r2": ("mse",)}
_USUAL = ("log_loss", "accuracy", "mae")
"""What is searched, the first that there is, for a metric that is no mean over rows."""


@dataclass(frozen=True, slots=True)
class WorstSlices:
    """What the search found, worst first, and a sentence on what it did."""

    results: tuple[SliceResult, ...]
    sentence: str
    looked_at: int


def worst_slices(
    predictions: Predictions, spec: MetricSpec, *, false_discoveries: float = 0.05, most: int = 10
) -> WorstSlices:
    """The slices of up to two columns on which the model is surely worse than on the rest, worst first.

    Searched are the rows' own losses of a metric that is a mean; for recall, precision and specificity whether the rows
    that they look at are right; for others, such as the AUC, the log loss or the accuracy, and the sentence says so. At
    most the share `false_discoveries` of what is found is false alarm, on average. Intervals are at a level that allows
    for the search, and wider for it.
    """
    if not predictions.slices:
        return WorstSlices((), "No columns to search.", 0)
    searched, losses, rows = _losses(predictions, spec)
    slicings = [Slicing(s.column, s.values, s.codes[rows]) for s in predictions.slices.values()]
    group = None if predictions.group is None else predictions.group[rows]
    answer = search(losses, slicings, group=group, false_discoveries=false_discoveries, most=most)
    results = []
    for found in answer.found:
        part = judge(predictions, searched, [_cut(predictions, found)], levels=(answer.level,))[0]
        results.append(replace(part, status="worse", p_adjusted=found.p_adjusted))
    return WorstSlices(
        tuple(results), _sentence(spec, searched, len(results), answer.looked_at, answer.left_out), answer.looked_at
    )


def _losses(predictions: Predictions, spec: MetricSpec) -> tuple[MetricSpec, Floats, NDArray[np.bool_]]:
    """What is searched: a metric, one loss per row of those it looks at, and which those are."""
    answers = answers_of(predictions)
    if answers is None:
        raise TypeError("no predictions")
    every = np.ones(predictions.n, dtype=bool)
    if spec.trials is not None:
        right, tried = spec.trials(answers)
        return spec, (~right[tried]).astype(np.float64), tried
    searched = spec if spec.is_mean and spec.better != "zero" else _stand_in(predictions, spec)
    if searched.trials is not None:
        return searched, 1.0 - contributions(searched, predictions), every
    return searched, contributions(searched, predictions), every


def _stand_in(predictions: Predictions, spec: MetricSpec) -> MetricSpec:
    known = {spec.name for spec in available(predictions)}
    return METRICS[predictions.task][next(name for name in _STANDS_FOR.get(spec.name, _USUAL) if name in known)]


def _cut(predictions: Predictions, found: Found) -> Cut:
    inside = np.ones(predictions.n, dtype=bool)
    names = []
    for column, code in zip(found.columns, found.codes, strict=True):
        slicing = predictions.slices[column]
        inside &= slicing.codes == code
        names.append(slicing.values[code] if code >= 0 else EMPTY)
    return Cut(found.columns, (tuple(names),), np.where(inside, 0, -1))


def _sentence(spec: MetricSpec, searched: MetricSpec, found: int, looked_at: int, left_out: tuple[str, ...]) -> str:
    said = f"Of {looked_at:,} slices of one or two columns, "
    said += f"{found} {'is' if found == 1 else 'are'} surely worse than the rest" if found else "none is surely worse"
    said += f" by {searched.name}"
    if searched is not spec:
        said += f" (searched instead of {spec.name}, which is no mean over rows)"
    return f"{said}{'; ' if left_out else ''}{'; '.join(left_out)}."
