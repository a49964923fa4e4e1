"""Predictions to evidence: everything that this package can say about them, as values of the domain.

Imported by `engine`'s worker code inside functions; this is the package's door. The numbers come from `intervals`,
`paired`, `slices`, `slice_search` and `fairness`, the pictures from `pictures`; here they are put together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from signoff.domain.evidence import (
    Comparison,
    FairnessGap,
    Interval,
    Metric,
    Picture,
    Provenance,
    RowsNeeded,
    SliceResult,
    Task,
)
from signoff.evaluation import latency
from signoff.evaluation.fairness import fairness_gaps
from signoff.evaluation.intervals import Estimate, estimate_both
from signoff.evaluation.metrics import METRICS, MetricSpec
from signoff.evaluation.paired import compare
from signoff.evaluation.pictures.against_limit import against_limit
from signoff.evaluation.pictures.album import draw
from signoff.evaluation.pictures.forest import forest
from signoff.evaluation.pictures.history import Measured, history
from signoff.evaluation.pictures.look import Names
from signoff.evaluation.pictures.picture import Picture as Drawn
from signoff.evaluation.pictures.shelf import keep
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.sample_size import rows_needed
from signoff.evaluation.slice_search import worst_slices
from signoff.evaluation.slices import MOST_SHOWN, slice_table

USUAL_LEVEL = 0.95
MOST_AGAINST_LIMITS = 6
_MAIN = {Task.BINARY: "accuracy", Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the predictions.

    `levels` beside 95 %: those at which checks are judged. `slices`: pairs of columns, beside every single column.
    `slice_metrics`: what checks read of each slice; every slice of them is given. `limits`: what checks hold each
    metric against, a paired difference by the name ``delta.<metric>``. `history`: each metric in earlier versions,
    oldest first.
    """

    levels: Sequence[float] = (USUAL_LEVEL,)
    correct: bool = False
    slices: Sequence[tuple[str, ...]] = ()
    slice_metrics: Sequence[str] = ()
    sensitive: Sequence[str] = ()
    seed: int = 0
    limits: Mapping[str, Sequence[float]] = field(default_factory=dict)
    history: Mapping[str, Sequence[Measured]] = field(default_factory=dict)
    names: Names = field(default_factory=Names)


@dataclass(frozen=True, slots=True)
class Report:
    """What the predictions say. `champion_metrics` is None where the file does not hold the champion's answers."""

    metrics: tuple[Metric, ...]
    champion_metrics: Mapping[str, Metric] | None
    comparisons: tuple[Comparison, ...]
    slices: tuple[SliceResult, ...]
    fairness: tuple[FairnessGap, ...]
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...]


def evaluate(predictions: Predictions, wanted: Wanted, folder: Path | None = None) -> Report:
    """Everything that the predictions say; pictures are written below `folder`, and left out without one."""
    levels = tuple(dict.fromkeys((USUAL_LEVEL, *wanted.levels)))
    own, theirs = estimate_both(predictions, levels=levels, seed=wanted.seed)
    metrics = [_metric(made, wanted.limits) for made in own.values()]
    metrics += [_needing(metric, wanted.limits) for metric in latency.metrics_of(predictions, levels)]
    champion = {name: _metric(made, {}) for name, made in theirs.items()} if predictions.has_champion else None
    comparisons = tuple(
        replace(item, difference=_needing(item.difference, wanted.limits))
        for item in compare(predictions, levels=levels, seed=wanted.seed)
    )
    slices, said = _slices(predictions, wanted, levels, own)
    gaps, doubts = fairness_gaps(predictions, wanted.sensitive, level=USUAL_LEVEL)
    drawn = () if folder is None else keep(_pictures(predictions, wanted, metrics, champion or {}, slices), folder)
    notes = [note for made in (*own.values(), *theirs.values()) for note in made.notes]
    return Report(
        tuple(metrics), champion, comparisons, slices, gaps, drawn, tuple(dict.fromkeys((*notes, *said, *doubts)))
    )


def _metric(made: Estimate, limits: Mapping[str, Sequence[float]]) -> Metric:
    usual, *further = made.intervals or (None,)
    metric = Metric(
        made.name, made.value, Provenance.MEASURED, usual, made.n, None, tuple(i for i in further if i), made.seed
    )
    return _needing(metric, limits)


def _needing(metric: Metric, limits: Mapping[str, Sequence[float]]) -> Metric:
    """The metric with how many rows would settle each limit that one of its intervals straddles."""
    known: list[Interval] = [i for i in (metric.interval, *metric.further) if i is not None]
    needed = [
        RowsNeeded(limit, rows, interval.level)
        for limit in limits.get(metric.name, ())
        for interval in known
        if metric.n and interval.low <= limit <= interval.high
        if (rows := rows_needed(metric.value, interval, limit, metric.n)) is not None
    ]
    return replace(metric, needed=tuple(needed))


def _main(predictions: Predictions, wanted: Wanted, own: Mapping[str, Estimate]) -> str:
    """The metric that slices are shown for: the first that a check asks about, else the task's usual one."""
    asked = [*wanted.slice_metrics, *(name.removeprefix("delta.") for name in wanted.limits)]
    return next((name for name in asked if name in own), _MAIN[predictions.task])


def _slices(
    predictions: Predictions, wanted: Wanted, levels: Sequence[float], own: Mapping[str, Estimate]
) -> tuple[tuple[SliceResult, ...], list[str]]:
    """Every column's slices and those of the chosen pairs, and what the search for the worst ones found."""
    if not predictions.slices:
        return (), []
    main = _main(predictions, wanted, own)
    columns: list[tuple[str, ...]] = [(name,) for name in predictions.slices]
    columns += [names for names in wanted.slices if names not in columns and set(names) <= set(predictions.slices)]
    results: list[SliceResult] = []
    notes: list[str] = []
    for name in dict.fromkeys((main, *(name for name in wanted.slice_metrics if name in own))):
        spec = METRICS[predictions.task][name]
        shown = None if name in wanted.slice_metrics else MOST_SHOWN
        table = slice_table(predictions, spec, columns=columns, levels=levels, seed=wanted.seed, shown=shown)
        results += table.results
        notes.append(table.sentence)
    found = worst_slices(predictions, METRICS[predictions.task][main])
    seen = {(result.metric, result.columns, result.values) for result in results}
    more = [result for result in found.results if (result.metric, result.columns, result.values) not in seen]
    return (*more, *results), [*notes, found.sentence]


def _pictures(
    predictions: Predictions,
    wanted: Wanted,
    metrics: Iterable[Metric],
    champion: Mapping[str, Metric],
    slices: Sequence[SliceResult],
) -> list[Drawn]:
    known = {metric.name: metric for metric in metrics}
    specs = METRICS[predictions.task]
    asked = [name for name in wanted.limits if name in known][:MOST_AGAINST_LIMITS]
    pictures: list[Drawn | None] = [
        against_limit(known[name], champion.get(name), wanted.names, asked=_asked(specs.get(name), wanted.limits[name]))
        for name in asked
    ]
    pictures += draw(predictions, wanted.names, seed=wanted.seed)
    for name in dict.fromkeys(result.metric for result in slices):
        spec = specs[name]
        if name in known and spec.better != "zero" and math.isfinite(known[name].value):
            of_metric = [result for result in slices if result.metric == name]
            pictures.append(forest(of_metric, known[name].value, spec.better, wanted.names))
    for name, earlier in wanted.history.items():
        better = specs[name].better if name in specs else "higher"
        if better != "zero" and name in known:
            versions = [*earlier, Measured(wanted.names.candidate, known[name].value, known[name].interval)]
            pictures.append(history(name, versions, better, limit=next(iter(wanted.limits.get(name, ())), None)))
    return [picture for picture in pictures if picture is not None]


def _asked(spec: MetricSpec | None, limits: Sequence[float]) -> tuple[str, float] | None:
    """The first limit, on the side on which the metric is better; latency is better when lower."""
    if not limits or (spec is not None and spec.better == "zero"):
        return None
    return (">=" if spec is not None and spec.better == "higher" else "<=", limits[0])
