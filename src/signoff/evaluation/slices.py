"""How a metric does on each part of the rows, worst first: which parts are surely worse, and which too small to tell.

Imported by the modules of `evaluation`, and by `engine`'s worker code inside functions. A slice is

- *fine* when it is surely (at the level) no worse than the rest by more than a tolerance,
- *worse* when it is not, and its difference to the rest is no accident even for so many slices looked at,
- *unsure* otherwise, and always with fewer than 30 rows: a small slice is never called worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Interval, SliceResult
from signoff.evaluation.cut import Cut, cut_by
from signoff.evaluation.metrics import MetricSpec, point
from signoff.evaluation.multiplicity import benjamini_yekutieli
from signoff.evaluation.paired import as_metric
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.slice_measures import Measures, measure
from signoff.evaluation.subject import Subject

Floats = NDArray[np.float64]
Status = Literal["fine", "worse", "unsure"]

MOST_EVALUATED = 500
MOST_SHOWN = 50
SMALLEST = 30
FALSE_DISCOVERIES = 0.05
_TOLERANCE = 0.05
_RELATIVE_TOLERANCE = 0.1
_ORDER = {"worse": 0, "unsure": 1, "fine": 2}


@dataclass(frozen=True, slots=True)
class SliceTable:
    """The slices, worst first, and a sentence on how many there are and what became of them."""

    results: tuple[SliceResult, ...]
    sentence: str
    evaluated: int


def slice_table(
    predictions: Predictions,
    spec: MetricSpec,
    *,
    columns: Sequence[tuple[str, ...]] | None = None,
    levels: Sequence[float] = (0.95,),
    seed: int = 0,
    tolerance: float | None = None,
    most: int = MOST_EVALUATED,
    shown: int | None = MOST_SHOWN,
) -> SliceTable:
    """The metric on every slice of every column, or of the `columns` and pairs of columns named, worst first.

    With more than `most` slices those with most rows are evaluated; `shown` of them are given (None: all). `tolerance`
    is in the metric's unit: 0.05 by default, and a tenth of the value for a metric without an upper end. p-values are
    adjusted over all evaluated slices (Benjamini and Yekutieli 2001). Unknown columns are left to the caller.
    """
    wanted = [(name,) for name in predictions.slices] if columns is None else list(columns)
    cuts = [cut_by([predictions.slices[name] for name in names]) for names in wanted]
    found = sum(len(cut.names) for cut in cuts)
    kept = _largest(cuts, most)
    results = judge(predictions, spec, kept, levels=levels, seed=seed, tolerance=tolerance)
    given = results if shown is None else results[:shown]
    return SliceTable(given, _sentence(spec, results, found, len(wanted), len(given)), len(results))


def judge(
    predictions: Predictions,
    spec: MetricSpec,
    cuts: Sequence[Cut],
    *,
    levels: Sequence[float],
    seed: int = 0,
    tolerance: float | None = None,
) -> tuple[SliceResult, ...]:
    """Every slice of the cuts, measured and judged, worst first."""
    whole = point(spec, predictions)
    allowed = _default_tolerance(spec, whole) if tolerance is None else tolerance
    subject = Subject(spec, predictions, levels, seed)
    measured = [measure(subject, cut) for cut in cuts]
    p_values = [np.where(part.small >= SMALLEST, part.p_value, np.nan) for part in measured]
    adjusted = benjamini_yekutieli(np.concatenate(p_values)) if p_values else np.empty(0)
    judged: list[tuple[float, SliceResult]] = []
    start = 0
    for cut, part in zip(cuts, measured, strict=True):
        corrected = adjusted[start : start + len(cut.names)]
        start += len(cut.names)
        harm, most_harm = _harm(spec, part)
        judged += [
            (float(harm[number]), _result(spec, cut, part, number, float(corrected[number]), status, levels, seed))
            for number in range(len(cut.names))
            for status in [_status(part, number, harm, most_harm, float(corrected[number]), allowed)]
        ]
    judged.sort(key=lambda pair: (_ORDER[pair[1].status], np.isnan(pair[0]), -pair[0]))
    return tuple(result for _, result in judged)


def _largest(cuts: Sequence[Cut], most: int) -> list[Cut]:
    """The cuts with only those slices that are among the `most` with most rows."""
    sizes = [cut.rows() for cut in cuts]
    if sum(len(size) for size in sizes) <= most:
        return list(cuts)
    of_cut = np.repeat(np.arange(len(cuts)), [len(size) for size in sizes])
    number = np.concatenate([np.arange(len(size)) for size in sizes])
    chosen = np.argsort(-np.concatenate(sizes), kind="stable")[:most]
    kept = []
    for index, cut in enumerate(cuts):
        keep = np.sort(number[chosen][of_cut[chosen] == index])
        if len(keep):
            kept.append(cut.narrowed(keep))
    return kept


def _harm(spec: MetricSpec, part: Measures) -> tuple[Floats, Floats]:
    """How much worse than the rest each slice is, and how much it may be at most."""
    difference, (low, high) = part.value - part.rest, part.apart
    if spec.better == "higher":
        return -difference, -low
    if spec.better == "lower":
        return difference, high
    away = np.sign(part.value)  # of bias, what lies further from 0 is worse
    return away * difference, np.where(away < 0, -low, high)


def _status(
    part: Measures, number: int, harm: Floats, most_harm: Floats, p_adjusted: float, tolerance: float
) -> Status:
    if part.small[number] < SMALLEST or not np.isfinite(harm[number]) or not np.isfinite(most_harm[number]):
        return "unsure"
    if most_harm[number] <= tolerance:
        return "fine"
    return "worse" if p_adjusted <= FALSE_DISCOVERIES and harm[number] > 0 else "unsure"


def _result(
    spec: MetricSpec,
    cut: Cut,
    part: Measures,
    number: int,
    p_adjusted: float,
    status: Status,
    levels: Sequence[float],
    seed: int,
) -> SliceResult:
    value, rest = float(part.value[number]), float(part.rest[number])
    intervals = tuple(
        Interval(min(float(low[number]), value), max(float(high[number]), value), level, part.method)
        for (low, high), level in zip(part.ends, levels, strict=True)
        if np.isfinite(low[number]) and np.isfinite(high[number])
    )
    difference = part.to_champion[number]
    return SliceResult(
        cut.columns,
        cut.names[number],
        int(part.n[number]),
        spec.name,
        value,
        intervals[0] if intervals else None,
        value - rest if np.isfinite(value - rest) else None,
        None if difference is None else as_metric(spec, difference, levels, seed=seed),
        status,
        None if np.isnan(p_adjusted) else p_adjusted,
        intervals[1:],
    )


def _default_tolerance(spec: MetricSpec, whole: float) -> float:
    is_bounded = spec.scale in {"logit", "fisher"} or spec.name == "r2"
    return _TOLERANCE if is_bounded else _RELATIVE_TOLERANCE * abs(whole)


def _sentence(spec: MetricSpec, results: Sequence[SliceResult], found: int, cuts: int, shown: int) -> str:
    if not results:
        return "No columns to slice by."
    said = f"{spec.name} on {found:,} {'slice' if found == 1 else 'slices'} by {cuts} {'way' if cuts == 1 else 'ways'}"
    if len(results) < found:
        said += f", of which the {len(results):,} with most rows were evaluated"
    counts = {status: sum(result.status == status for result in results) for status in _ORDER}
    said += f": {counts['worse']} surely worse than the rest, {counts['unsure']} too small or too close to tell, "
    said += f"{counts['fine']} fine."
    if shown < len(results):
        said += f" The worst {shown} are shown."
    return said
