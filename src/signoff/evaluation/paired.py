"""The candidate against the champion on the same rows: what is hard for both does not count, so little rows say much.

Imported by the modules of `evaluation`. Never two intervals subtracted: each metric's difference has its own, from what
each row adds to it. By metric and number of rows:

- shares of the same rows (accuracy, recall, specificity): McNemar's mid-p test and Tango's score interval;
- the area under the ROC curve: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), for correlated curves;
- what is made of classes (precision, F1, MCC ...), up to 20,000 rows: the posterior of how often each combination of
  true, candidate's and champion's class occurs, from half a row each (with two classes; Agresti and Min, Biometrics 61
  (2005), add as much), because on few rows that differ the bootstrap is too narrow;
- what is made of other sums, or of clusters or weighted rows, as far: the BCa bootstrap of both models together;
- all else: the infinitesimal jackknife (Jaeckel 1972; the "delta method"), summed within clusters, with Student's t. So
  is average precision at any size: its bootstrap covered no better on few rows, and took a hundred times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from signoff.domain.evidence import Comparison, Interval, Metric, Provenance, Task
from signoff.evaluation.answers import Answers, answers_of
from signoff.evaluation.detectable import detectable_from_error, detectable_share
from signoff.evaluation.metrics import MetricSpec, available, influence_of, value_of
from signoff.evaluation.paired_bootstrap import Bca, Units, draw_posterior, draw_sums, has_posterior, units_of
from signoff.evaluation.paired_proportions import mcnemar_mid_p, tango
from signoff.evaluation.predictions import Predictions

Floats = NDArray[np.float64]

MOST_ROWS, MOST_UNITS = 20_000, 5_000
"""What is bootstrapped: so many rows in so many combinations of classes, clusters, or single rows. Above, the delta
method, whose coverage is as good there (measured in the benchmarks) and whose time is that of one draw."""
FEWEST_CLUSTERS = 30
"""Below, Student's t on the clusters' pulls: a bootstrap of few clusters is too narrow."""
IDENTICAL = "identical answers"
_MOST_CLASSES = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference in plain numbers: its value, an interval per level, and how they were found."""

    value: float
    intervals: tuple[tuple[float, float], ...]
    p_value: float | None
    method: str
    n: int
    detectable: float | None
    is_random: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """Both models' answers to the same rows."""

    candidate: Answers
    champion: Answers
    group: NDArray[Any] | None

    @property
    def n(self) -> int:
        """How many rows."""
        return len(self.candidate.y_true)

    @property
    def is_plain(self) -> bool:
        """Whether every row counts once and for itself."""
        return self.group is None and not self.candidate.is_weighted


def compare(
    predictions: Predictions,
    specs: Sequence[MetricSpec] | None = None,
    *,
    levels: Sequence[float] = (0.95,),
    seed: int = 0,
    step: str | None = None,
) -> tuple[Comparison, ...]:
    """The paired difference of each metric that both models' columns can give, candidate minus champion.

    Intervals at each of `levels`, the first of them the usual one. `bias` has no better direction and is left out.
    """
    both = both_of(predictions)
    if both is None:
        return ()
    theirs = {spec.name for spec in available(predictions, champion=True)}
    ours = [spec for spec in available(predictions) if specs is None or spec in specs]
    chosen = [spec for spec in ours if spec.name in theirs]
    differences = differences_of(chosen, both, levels=levels, seed=seed)
    return tuple(
        Comparison(
            spec.name,
            as_metric(spec, difference, levels, seed=seed, step=step),
            difference.p_value,
            difference.method,
            difference.n,
            difference.detectable,
            direction,
        )
        for spec, difference in zip(chosen, differences, strict=True)
        if (direction := _direction(spec)) is not None
    )


def both_of(predictions: Predictions, rows: NDArray[Any] | None = None) -> Both | None:
    """Both models' answers to all rows or to `rows`; None where the file has no champion."""
    candidate = answers_of(predictions, rows=rows)
    champion = answers_of(predictions, champion=True, rows=rows)
    if candidate is None or champion is None:
        return None
    group = predictions.group
    return Both(candidate, champion, group if group is None or rows is None else group[rows])


def as_metric(
    spec: MetricSpec, difference: Difference, levels: Sequence[float], *, seed: int | None, step: str | None = None
) -> Metric:
    """The difference as a metric with its intervals, the first as the usual one."""
    intervals = tuple(
        Interval(low, high, level, difference.method)
        for (low, high), level in zip(difference.intervals, levels, strict=False)
    )
    return Metric(
        f"delta.{spec.name}",
        difference.value,
        Provenance.MEASURED,
        intervals[0] if intervals else None,
        difference.n,
        step,
        intervals[1:],
        seed if difference.is_random else None,
    )


def differences_of(
    specs: Sequence[MetricSpec], both: Both, *, levels: Sequence[float], seed: int = 0, may_draw: bool = True
) -> list[Difference]:
    """Each metric's paired difference. Without `may_draw`, nothing is bootstrapped (for many slices at once)."""
    found: dict[str, Difference] = {}
    drawn: dict[bool, list[MetricSpec]] = {True: [], False: []}
    for spec in specs:
        difference = _by_shares(spec, both, levels) or (None if may_draw else _by_pulls(spec, both, levels))
        if difference is not None:
            found[spec.name] = difference
        elif _is_drawn(spec, both):
            drawn[spec.columns is None].append(spec)
        else:
            found[spec.name] = _by_pulls(spec, both, levels)
    for is_of_classes, some in drawn.items():
        if some and is_of_classes and has_posterior(both.candidate, both.group):
            draws = draw_posterior(some, both.candidate, both.champion, seed=seed)
            found.update(_by_draws(some, draws, both, None, levels))
        elif some:
            units = units_of(both.n, both.group)
            if units.size <= MOST_UNITS:
                draws = draw_sums(some, both.candidate, both.champion, units, seed=seed)
                found.update(_by_draws(some, draws, both, units, levels))
            else:
                found.update((spec.name, _by_pulls(spec, both, levels)) for spec in some)
    return [found[spec.name] for spec in specs]


def _is_drawn(spec: MetricSpec, both: Both) -> bool:
    if spec.of_sums is None or both.candidate.classes > _MOST_CLASSES or both.n > MOST_ROWS:
        return False
    return both.group is None or len(np.unique(both.group)) >= FEWEST_CLUSTERS


def _by_shares(spec: MetricSpec, both: Both, levels: Sequence[float]) -> Difference | None:
    """Where both models are tried on the same rows and each row is right or wrong."""
    if spec.trials is None or not both.is_plain:
        return None
    (ours, tried), (theirs, tried_too) = spec.trials(both.candidate), spec.trials(both.champion)
    if not np.array_equal(tried, tried_too):
        return None
    n, gained, lost = (int(np.count_nonzero(rows)) for rows in (tried, ours & ~theirs, theirs & ~ours))
    if n == 0:
        return Difference(float("nan"), (), None, "tango", 0, None)
    ends = [tango(gained, lost, n, level) for level in levels]
    return Difference(
        (gained - lost) / n,
        tuple((float(low), float(high)) for low, high in ends),
        float(mcnemar_mid_p(gained, lost)),
        "tango",
        n,
        detectable_share(gained, lost, n, level=levels[0]),
    )


def _by_draws(
    specs: Sequence[MetricSpec], draws: Sequence[Floats], both: Both, units: Units | None, levels: Sequence[float]
) -> dict[str, Difference]:
    """Each metric's difference from its draws: of `units`, or of the posterior."""
    method = "dirichlet" if units is None else "bca" if both.group is None else "cluster bca"
    found = {}
    for spec, drawn in zip(specs, draws, strict=True):
        value, pull = value_and_pulls(spec, both)
        plain = difference_of_pulls(spec, both, levels, value, pull)
        if units is None:
            bca = Bca.of(drawn)
        else:
            bca = None if plain.method == IDENTICAL else Bca.corrected(drawn, value, _by_cluster(units.code, pull))
        if bca is None or not np.isfinite(value):
            found[spec.name] = plain
            continue
        found[spec.name] = Difference(
            value,
            tuple(_around(value, *bca.interval(level)) for level in levels),
            plain.p_value if bca.is_one_sided else bca.p_value(),
            method,
            plain.n,
            plain.detectable,
            is_random=True,
        )
    return found


def value_and_pulls(spec: MetricSpec, both: Both) -> tuple[float, Floats]:
    """The difference, and each row's pull (n,) on it."""
    (ours, our_pull), (theirs, their_pull) = (
        spec.of_ranking(answers)
        if spec.of_ranking is not None
        else (value_of(spec, answers), influence_of(spec, answers))
        for answers in (both.candidate, both.champion)
    )
    pull: Floats = our_pull - their_pull
    return ours - theirs, pull


def _by_pulls(spec: MetricSpec, both: Both, levels: Sequence[float]) -> Difference:
    """The delta method: the variance of a difference is the sum of squares of the rows' (or clusters') pulls on it."""
    return difference_of_pulls(spec, both, levels, *value_and_pulls(spec, both))


def difference_of_pulls(
    spec: MetricSpec, both: Both, levels: Sequence[float], value: float, pull: Floats
) -> Difference:
    """The difference `value` with what the rows' pulls (n,) on it say of its error."""
    method = _name_of_pulls(spec, both)
    if not np.isfinite(value):
        return Difference(float("nan"), (), None, method, both.n, None)
    if not pull.any():
        return _of_identical(spec, both, levels)
    units = pull
    if both.group is not None:
        _, code = np.unique(both.group, return_inverse=True)
        units = _by_cluster(code, pull)
    many = len(units)
    if many < 2:  # noqa: PLR2004
        return Difference(value, (), None, method, both.n, None)
    factor = 1.0 if method == "delong" else many / (many - 1)
    error = float(np.sqrt(factor * (units**2).sum()))
    law = stats.norm if method == "delong" else stats.t(_freedom(spec, both, many))
    if error <= 0:
        return _of_identical(spec, both, levels)
    return Difference(
        value,
        tuple(_within(spec, value, float(law.ppf(0.5 + level / 2)) * error) for level in levels),
        float(min(1.0, 2 * law.sf(abs(value) / error))),
        method,
        both.n,
        detectable_from_error(error, level=levels[0]),
    )


def _freedom(spec: MetricSpec, both: Both, units: int) -> int:
    """Degrees of freedom: of a ranking, no more than the rows of the scarcest class allow."""
    if spec.of_ranking is None or not both.candidate.classes:
        return units - 1
    counts = np.bincount(both.candidate.y_true, minlength=both.candidate.classes)
    return max(min(units, int(counts[counts > 0].min())) - 1, 1)


def _by_cluster(code: NDArray[Any], pull: Floats) -> Floats:
    return np.asarray(np.bincount(code, pull), dtype=np.float64)


def _name_of_pulls(spec: MetricSpec, both: Both) -> str:
    if spec.kind == "auc" and both.candidate.task is Task.BINARY and both.is_plain:
        return "delong"
    return "delta" if both.group is None else "cluster delta"


def _of_identical(spec: MetricSpec, both: Both, levels: Sequence[float]) -> Difference:
    """Where no row tells the models apart: the difference is 0, and as sure as so many rows without one make it.

    The share of rows that would differ is at most what Tango's interval says of none; each could move the metric by as
    much as the most telling row of these does, and its opposite.
    """
    pull = influence_of(spec, both.candidate)
    n = both.n if both.group is None else len(np.unique(both.group))
    reach = float(np.ptp(pull)) * both.n if len(pull) else float("nan")
    ends = tuple(reach * float(tango(0, 0, n, level)[1]) for level in levels)
    intervals = tuple((-end, end) for end in ends) if np.isfinite(reach) else ()
    return Difference(0.0, intervals, 1.0, IDENTICAL, both.n, None)


def _around(value: float, low: float, high: float) -> tuple[float, float]:
    """Ends that hold the value, where the draws of a skewed metric stopped short of it."""
    return min(low, value), max(high, value)


def _within(spec: MetricSpec, value: float, half: float) -> tuple[float, float]:
    """Ends cut where no difference can be: two metrics between 0 and 1 (or -1 and 1) are never further apart."""
    widest = {"logit": 1.0, "fisher": 2.0}.get(spec.scale, float("inf"))
    return max(value - half, -widest), min(value + half, widest)


def _direction(spec: MetricSpec) -> Literal["higher", "lower"] | None:
    return None if spec.better == "zero" else spec.better
