"""One model's answers to one set of rows, and the interval of each metric by the method that suits it.

Imported by `intervals` only. Which method, and why, is decided here and nowhere else:

- a proportion (accuracy, precision, recall, specificity): Wilson's, in effective rows when weighted or clustered;
- an area under the ROC curve: DeLong's on the logit scale, Newcombe's near 1 and with few rows of a class;
- average precision: the delta method on the logit scale, Wilson's at 1; a median: order statistics;
- all else: the BCa bootstrap up to 20,000 rows (or clusters), the delta method above; of a confusion matrix that has
  few rows of a class or no error, Jeffreys's.

With clusters, rows are added up within them first, and closed forms use Student's quantile of their number less one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Interval
from signoff.evaluation import bootstrap, closed_forms
from signoff.evaluation.answers import Answers
from signoff.evaluation.auc import newcombe
from signoff.evaluation.confusion import margins_by, margins_of_cells
from signoff.evaluation.metrics import MetricSpec, influence_of, sums_by, value_of

Floats = NDArray[np.float64]

FEW_OF_A_CLASS = 10
"""With fewer rows of a class, resamples and DeLong's variance know too little of it."""

FEW_ERRORS = 1.5
"""DeLong's variance needs an area so far from 1 that so many of the rarer class's rows lie wrong."""

FEW_CLUSTERS = 20
"""With fewer clusters no method here keeps its level; it is said."""

_MOST_CELLS = 400
_MOST_SUMS = 5_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric of one model: its value, on how many rows, and its intervals at the levels asked for.

    No interval: it could not be computed, and `notes` say why. `seed`: that of the resamples, where there were any.
    """

    name: str
    value: float
    n: int
    intervals: tuple[Interval, ...] = ()
    seed: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """How the intervals were made; empty when there is none."""
        return self.intervals[0].method if self.intervals else ""

    def at(self, level: float) -> Interval | None:
        """The interval of exactly this level."""
        return next((interval for interval in self.intervals if abs(interval.level - level) < 1e-9), None)  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class _Made:
    """Ends at each level, by one method."""

    method: str
    ends: Sequence[tuple[float, float]]
    seed: int | None = None


@dataclass(eq=False)
class Sample:
    """One model's answers to one set of rows, and what several of its metrics need."""

    answers: Answers
    group: NDArray[np.int64] | None
    seed: int
    resampled: dict[str, Floats] = field(default_factory=dict)

    @cached_property
    def clusters(self) -> NDArray[np.int64] | None:
        """Which cluster each row is in, from 0 without gaps; None where rows are on their own."""
        return None if self.group is None else np.unique(self.group, return_inverse=True)[1]

    @cached_property
    def units(self) -> int:
        """How many clusters there are, or rows."""
        n = len(self.answers.y_true)
        return n if self.clusters is None or not n else int(self.clusters.max()) + 1

    @property
    def freedom(self) -> float | None:
        """Degrees of freedom of Student's quantile; None: the normal one."""
        return None if self.clusters is None else self.units - 1.0

    def by_unit(self, rows: Floats) -> Floats:
        """Values of rows added up within clusters."""
        return rows if self.clusters is None else np.bincount(self.clusters, rows, self.units).astype(np.float64)

    def error(self, pulls: Floats) -> float:
        """The standard error that pulls of rows make."""
        units = self.by_unit(pulls)
        small = self.units / (self.units - 1) if self.units > 1 else 1.0
        return float(np.sqrt((units**2).sum() * (small if self.clusters is not None else 1.0)))

    def unit_sums(self, spec: MetricSpec) -> Floats:
        """The sums (units, m) of each cluster, or row."""
        if self.clusters is None and spec.columns is not None:
            return spec.columns(self.answers) * self.answers.weight[:, None]
        codes = np.arange(self.units) if self.clusters is None else self.clusters
        return sums_by(spec, self.answers, codes, self.units).reshape(self.units, -1)

    def estimate(self, spec: MetricSpec, levels: Sequence[float]) -> Estimate:
        """The metric with its intervals."""
        value, n = value_of(spec, self.answers), len(self.answers.y_true)
        if not np.isfinite(value):
            return Estimate(spec.name, value, n, notes=(f"{spec.name} is undefined on these rows.",))
        if self.units < 2:  # noqa: PLR2004
            return Estimate(spec.name, value, n, notes=("No interval from a single row or group.",))
        made = self._make(spec, value, levels)
        intervals = tuple(
            Interval(min(low, value), max(high, value), level, self._named(made.method))
            for level, (low, high) in zip(levels, made.ends, strict=False)
            if np.isfinite(low) and np.isfinite(high)
        )
        notes = () if intervals else ("Every row counts the same here, so these rows do not show how sure it is.",)
        if self.clusters is not None and self.units < FEW_CLUSTERS:
            notes = (*notes, f"Only {self.units} groups: the interval is probably too narrow.")
        return Estimate(spec.name, value, n, intervals, made.seed if intervals else None, notes)

    def _named(self, method: str) -> str:
        if self.clusters is None:
            return method
        return "cluster bootstrap" if method == "bca" else f"cluster {method}"

    def _make(self, spec: MetricSpec, value: float, levels: Sequence[float]) -> _Made:
        if spec.trials is not None:
            return self._proportion(spec, value, levels)
        if spec.of_ranking is not None:
            return self._median(levels) if spec.name == "median_absolute_error" else self._ranked(spec, value, levels)
        return self._of_sums(spec, value, levels)

    def _of_sums(self, spec: MetricSpec, value: float, levels: Sequence[float]) -> _Made:
        pulls = influence_of(spec, self.answers)
        error = self.error(pulls)
        is_large = self.units > bootstrap.MOST_UNITS or self._sums(spec) > _MOST_SUMS
        if is_large and error > 0 and closed_forms.fits(value, spec.scale):
            return self._delta(value, error, levels, spec, "delta")
        if is_large or (spec.columns is None and self._has_few_of_a_class):
            return self._edge(spec, levels)
        replicates = self._replicates(spec)
        drawn = self.by_unit(pulls)
        ends = [bootstrap.bca(value, replicates, drawn, level, is_expanded=True) for level in levels]
        if np.isfinite(ends).all() or spec.columns is not None:
            return _Made("bca", ends, self.seed)
        return self._edge(spec, levels)

    def _sums(self, spec: MetricSpec) -> int:
        """How many numbers each resample multiplies with, at most."""
        if spec.columns is not None:
            return 0
        is_plain = self.clusters is None and not self.answers.is_weighted
        size = self.answers.classes
        return (min(self.units, size * size) if is_plain else self.units) * 3 * size

    def _replicates(self, spec: MetricSpec) -> Floats:
        """The metric of every resample."""
        if spec.of_sums is None:
            raise TypeError(f"{spec.name} is not a function of sums")
        if spec.name in self.resampled:
            return spec.of_sums(self.resampled[spec.name])
        shape = (-1, 3, self.answers.classes) if spec.columns is None else (bootstrap.REPLICATES, -1)
        if spec.columns is None and self.clusters is None and not self.answers.is_weighted:
            return spec.of_sums(self._resampled_margins.reshape(shape))
        if spec.columns is None:
            return spec.of_sums(self._resampled_unit_margins(spec).reshape(shape))
        return spec.of_sums(bootstrap.resampled_sums(self.unit_sums(spec), seed=self.seed).reshape(shape))

    @cached_property
    def _resampled_margins(self) -> Floats:
        """Of rows on their own, which are alike within a cell of the confusion matrix."""
        size = self.answers.classes
        cells, counts = np.unique(self.answers.cells, return_counts=True)
        ones, each = np.ones(len(cells)), np.arange(len(cells))
        of_one = margins_by(cells // size, cells % size, ones, each, len(cells), size)
        return bootstrap.resampled_cells(counts, of_one.reshape(len(cells), -1), seed=self.seed)

    def _resampled_unit_margins(self, spec: MetricSpec) -> Floats:
        if "" not in self.resampled:
            self.resampled[""] = bootstrap.resampled_sums(self.unit_sums(spec), seed=self.seed)
        return self.resampled[""]

    def _proportion(self, spec: MetricSpec, value: float, levels: Sequence[float]) -> _Made:
        n = self.effective_rows(spec, value)
        z = [closed_forms.quantile(level, self.freedom) for level in levels]
        return _Made("wilson", [closed_forms.wilson(value, n, q) for q in z])

    def effective_rows(self, spec: MetricSpec, value: float) -> float:
        """So many independent, equal rows would make a proportion as sure as these rows do.

        Kish 1965 for weights; with weights or clusters also what the variance says (Korn & Graubard 1998), the smaller.
        At 0 and 1 the variance says nothing, so each cluster counts as one row then.
        """
        if spec.trials is None:
            raise TypeError(f"{spec.name} is not a proportion")
        tried = spec.trials(self.answers)[1]
        weight = np.where(tried, self.answers.weight, 0.0)
        n = float(weight.sum() ** 2 / (weight**2).sum())
        if self.clusters is None and not self.answers.is_weighted:
            return n
        if 0 < value < 1:
            error = self.error(influence_of(spec, self.answers))
            return min(n, value * (1 - value) / error**2) if error > 0 else n
        if self.clusters is None:
            return n
        of_cluster = np.bincount(self.clusters, weight, self.units)
        return float(of_cluster.sum() ** 2 / (of_cluster**2).sum())

    def _median(self, levels: Sequence[float]) -> _Made:
        sizes, weight = np.abs(self.answers.y_pred - self.answers.y_true), self.answers.weight
        order = np.argsort(sizes, kind="stable")
        middle = sizes[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)]
        error = self.error(np.where(sizes <= middle, 0.5, -0.5) * weight / weight.sum())
        n = min(0.25 / error**2, float(weight.sum() ** 2 / (weight**2).sum()))
        z = [closed_forms.quantile(level, self.freedom) for level in levels]
        return _Made("order statistics", [closed_forms.order_statistics(sizes, weight, n, q) for q in z])

    def _ranked(self, spec: MetricSpec, value: float, levels: Sequence[float]) -> _Made:
        error = self.error(influence_of(spec, self.answers))
        counts = self._class_counts
        few = float(counts[counts > 0].min())
        is_at_edge = error == 0 or not closed_forms.fits(value, "logit")
        is_plenty = len(counts) > 2 or (few >= FEW_OF_A_CLASS and few * (1 - value) >= FEW_ERRORS)  # noqa: PLR2004
        if spec.kind == "auc" and not is_at_edge and is_plenty:
            return self._delta(value, error, levels, spec, "delong")
        if spec.kind != "auc" and not is_at_edge:
            z = [closed_forms.quantile(level, min(counts[1], self.units) - 1) for level in levels]
            ends = [closed_forms.normal(value, error, q, "logit") for q in z]
            return _Made("delta", ends)
        if spec.kind == "auc":
            return _Made("newcombe", [newcombe(value, few, counts.sum() - few, level) for level in levels])
        z = [closed_forms.quantile(level, self.freedom) for level in levels]
        return _Made("wilson", [closed_forms.wilson(value, counts[1], q) for q in z])

    @cached_property
    def _class_counts(self) -> Floats:
        """Effective rows of each class; clusters count as one row of each class they have."""
        truth, weight = self.answers.y_true, self.answers.weight
        counts = np.zeros(self.answers.classes)
        for label in range(self.answers.classes):
            of_unit = self.by_unit(np.where(truth == label, weight, 0.0))
            counts[label] = of_unit.sum() ** 2 / (of_unit**2).sum() if of_unit.any() else 0.0
        return counts

    def _delta(self, value: float, error: float, levels: Sequence[float], spec: MetricSpec, method: str) -> _Made:
        z = [closed_forms.quantile(level, self.freedom) for level in levels]
        return _Made(method, [closed_forms.normal(value, error, q, spec.scale) for q in z])

    @cached_property
    def _has_few_of_a_class(self) -> bool:
        counts, size = self._class_counts, self.answers.classes
        return bool(0 < counts[counts > 0].min() < FEW_OF_A_CLASS) and size * size <= _MOST_CELLS

    def _edge(self, spec: MetricSpec, levels: Sequence[float]) -> _Made:
        """Resamples say too little: the rows are all right, or all of one kind, or few of a class."""
        size = self.answers.classes
        of_sums = spec.of_sums
        if size * size > _MOST_CELLS or of_sums is None or spec.columns is not None:
            return _Made("", [])
        truth, answer = self.answers.y_true, self.answers.y_pred
        cells = np.bincount(truth * size + answer, minlength=size * size).reshape(size, size).astype(float)
        cells *= (self._class_counts / np.maximum(cells.sum(1), 1))[:, None]

        def of_cells(many: Floats) -> Floats:
            return of_sums(margins_of_cells(many))

        return _Made(
            "jeffreys", [bootstrap.jeffreys(cells, of_cells, level, seed=self.seed) for level in levels], self.seed
        )


def share(pairs: Sequence[tuple[Sample, Sequence[MetricSpec]]]) -> None:
    """Draw once the resamples that these metrics of these samples, which are of the same rows, need."""
    wanted = [(sample, spec) for sample, specs in pairs for spec in specs if spec.columns is not None]
    if not wanted or not 2 <= wanted[0][0].units <= bootstrap.MOST_UNITS:  # noqa: PLR2004
        return
    parts = [sample.unit_sums(spec) for sample, spec in wanted]
    drawn = bootstrap.resampled_sums(np.concatenate(parts, axis=1), seed=wanted[0][0].seed)
    pieces = np.split(drawn, np.cumsum([part.shape[1] for part in parts])[:-1], axis=1)
    for (sample, spec), piece in zip(wanted, pieces, strict=True):
        sample.resampled[spec.name] = piece
