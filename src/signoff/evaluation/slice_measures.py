"""One metric on the slices of a cut, in plain arrays: its value and ends, the rest of the rows, and the champion.

Imported by `slices`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from signoff.evaluation import closed_forms
from signoff.evaluation.cut import Cut, Units
from signoff.evaluation.metrics import MetricSpec
from signoff.evaluation.paired import Difference, both_of, differences_of
from signoff.evaluation.paired_proportions import mcnemar_mid_p, tango, wilson
from signoff.evaluation.rates import rates_of
from signoff.evaluation.subject import Subject, taken

Floats = NDArray[np.float64]
Codes = NDArray[Any]

SAMPLED = 50_000
"""Rows that stand for the rest, where a metric of the ranking would have to sort all others for each slice."""
_ROWS_PER_SCARCE = 3
"""A slice with fewer than 10 rows of a class counts as one with fewer than 30."""
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """Per slice: value, its ends per level, the trial rows `n`, the rest's value, and how far the two are surely apart.

    `small`: how many rows of the scarcest kind that the metric needs. `apart`: the ends of value minus rest, at the
    first level; `p_value`: that there is no difference.
    """

    n: Codes
    small: Codes
    value: Floats
    ends: tuple[tuple[Floats, Floats], ...]
    method: str
    rest: Floats
    apart: tuple[Floats, Floats]
    p_value: Floats
    to_champion: tuple[Difference | None, ...]


def measure(subject: Subject, cut: Cut) -> Measures:
    """The metric on every slice of the cut."""
    return _of_shares(subject, cut) if subject.spec.trials is not None else _of_pulls(subject, cut)


def _of_shares(subject: Subject, cut: Cut) -> Measures:
    if subject.spec.trials is None:
        raise TypeError(f"{subject.spec.name} is not a share")
    right, tried = subject.spec.trials(subject.answers)
    size, levels = len(cut.names), subject.levels
    inside = np.flatnonzero(tried & (cut.codes >= 0))
    weight, group = subject.predictions.weight, subject.predictions.group
    codes, hits = cut.codes[inside], right[inside]
    rates = rates_of(
        hits, codes, size, None if weight is None else weight[inside], None if group is None else group[inside]
    )
    n = np.bincount(codes, minlength=size)
    mass = np.bincount(codes, None if weight is None else weight[inside], size)
    all_mass = float(np.count_nonzero(tried) if weight is None else weight[tried].sum())
    all_right = float(np.count_nonzero(right & tried) if weight is None else weight[right & tried].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        rest_mass = np.where(all_mass - mass > _NOTHING * all_mass, all_mass - mass, np.nan)
        rest = np.clip((all_right - np.nan_to_num(rates.rate) * mass) / rest_mass, 0.0, 1.0)
        # A row of the rest is worth what a row of all slices is worth on average.
        worth = rest_mass * np.nansum(rates.rows) / mass.sum() if mass.sum() > 0 else np.full(size, np.nan)
    low, high = wilson(rates.rate * rates.rows, rates.rows, levels[0])
    rest_low, rest_high = wilson(rest * worth, worth, levels[0])
    between = rates.rate - rest
    if weight is None and group is None:
        p_value = _fisher(np.bincount(codes[hits], minlength=size), n, int(all_right), int(all_mass))
    else:
        p_value = _score_test(rates.rate, rates.rows, rest, worth)
    return Measures(
        n,
        np.floor(rates.rows).astype(int),
        rates.rate,
        tuple(wilson(rates.rate * rates.rows, rates.rows, level) for level in levels),
        "wilson" if group is None else "cluster wilson",
        rest,
        (
            between - np.hypot(rates.rate - low, rest_high - rest),
            between + np.hypot(high - rates.rate, rest - rest_low),
        ),
        p_value,
        _shares_to_champion(subject, cut),
    )


def _fisher(hits: Codes, n: Codes, all_hits: int, total: int) -> Floats:
    law = stats.hypergeom(total, all_hits, n)
    p_value = np.minimum(2.0 * np.minimum(law.sf(hits - 1), law.cdf(hits)), 1.0)
    return np.where((n > 0) & (n < total), p_value, np.nan)


def _score_test(rate: Floats, rows: Floats, rest: Floats, rest_rows: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (rate * rows + rest * rest_rows) / (rows + rest_rows)
        error = np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / rest_rows))
        return np.asarray(2.0 * stats.norm.sf(np.abs(rate - rest) / error))


def _shares_to_champion(subject: Subject, cut: Cut) -> tuple[Difference | None, ...]:
    both, trials = subject.both, subject.spec.trials
    if both is None or trials is None:
        return (None,) * len(cut.names)
    (ours, tried), (theirs, tried_too) = trials(both.candidate), trials(both.champion)
    if not both.is_plain or not np.array_equal(tried, tried_too):
        return _pulls_to_champion(subject, cut, Units(cut, subject.predictions.group))
    inside = tried & (cut.codes >= 0)
    gained, lost, n = (
        np.bincount(cut.codes[rows & inside], minlength=len(cut.names))
        for rows in (ours & ~theirs, theirs & ~ours, tried)
    )
    ends = [tango(gained, lost, n, level) for level in subject.levels]
    p_value = mcnemar_mid_p(gained, lost)
    return tuple(
        Difference(
            int(gained[number] - lost[number]) / int(n[number]),
            tuple((float(low[number]), float(high[number])) for low, high in ends),
            float(p_value[number]),
            "tango",
            int(n[number]),
            None,
        )
        if n[number]
        else None
        for number in range(len(cut.names))
    )


def _of_pulls(subject: Subject, cut: Cut) -> Measures:
    units = Units(cut, subject.predictions.group)
    value, pull = subject.values_and_pulls(cut)
    error = units.error(pull)
    small = units.many
    if subject.spec.of_ranking is not None and subject.answers.classes:
        small = np.minimum(small, _ROWS_PER_SCARCE * _scarcest(subject, cut))
    rest, rest_error = _rest_of_ranking(subject, cut) if subject.spec.of_sums is None else _rest(subject, cut, units)
    between = value - rest
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.hypot(error, rest_error)
        p_value = np.asarray(2.0 * stats.t.sf(np.abs(between) / apart, np.maximum(units.many - 1, 1)))
    reach = units.reach(subject.levels[0]) * apart
    return Measures(
        cut.rows(),
        small,
        value,
        tuple(_ends(subject.spec, value, error, level, units.freedom) for level in subject.levels),
        "delta" if units.group is None else "cluster delta",
        rest,
        (between - reach, between + reach),
        p_value,
        _pulls_to_champion(subject, cut, units, (value, pull)),
    )


def _scarcest(subject: Subject, cut: Cut) -> Codes:
    """Per slice, the rows of the class that has fewest."""
    classes, inside = subject.answers.classes, cut.codes >= 0
    joint = cut.codes[inside] * classes + subject.answers.y_true[inside]
    scarcest: Codes = np.bincount(joint, minlength=len(cut.names) * classes).reshape(-1, classes).min(axis=1)
    return scarcest


def _pulls_to_champion(
    subject: Subject, cut: Cut, units: Units, of_candidate: tuple[Floats, Floats] | None = None
) -> tuple[Difference | None, ...]:
    if subject.champion is None:
        return (None,) * len(cut.names)
    ours, our_pull = subject.values_and_pulls(cut) if of_candidate is None else of_candidate
    theirs, their_pull = subject.values_and_pulls(cut, champion=True)
    value, error, n = ours - theirs, units.error(our_pull - their_pull), cut.rows()
    ends = [units.reach(level) * error for level in subject.levels]
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2.0 * stats.t.sf(np.abs(value) / error, np.maximum(units.many - 1, 1))
    method = "delta" if units.group is None else "cluster delta"
    found: list[Difference | None] = []
    for number, rows in enumerate(n.tolist()):
        if not np.isfinite(value[number]) or not np.isfinite(error[number]):
            found.append(None)
        elif error[number] <= 0:
            found.append(_alike(subject, np.flatnonzero(cut.codes == number)))
        else:
            middle = float(value[number])
            pairs = tuple((middle - float(end[number]), middle + float(end[number])) for end in ends)
            found.append(Difference(middle, pairs, float(p_value[number]), method, rows, None))
    return tuple(found)


def _alike(subject: Subject, rows: Codes) -> Difference | None:
    both = both_of(subject.predictions, rows)
    return None if both is None else differences_of([subject.spec], both, levels=subject.levels, may_draw=False)[0]


def _rest(subject: Subject, cut: Cut, units: Units) -> tuple[Floats, Floats]:
    """The metric and its error on the rows outside each slice; the error from all rows' pulls, without the slice's."""
    weight = subject.answers.weight
    mass, total = cut.masses(weight), float(weight.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total - mass > _NOTHING * total, 1.0 - mass / total, np.nan)
        rest = np.where(np.isnan(share), np.nan, subject.function(subject.whole - subject.sums(cut)))
        left = _error(subject.pull, subject.predictions.group)[0] ** 2 - units.squares(subject.pull)
        return rest, np.sqrt(np.maximum(left, 0.0)) / share


def _rest_of_ranking(subject: Subject, cut: Cut) -> tuple[Floats, Floats]:
    """The metric and its error on the rows outside each slice; from a sample of them where there are many."""
    order, answers, _, _ = subject.ranked
    codes, group = cut.codes[order], subject.predictions.group
    group = None if group is None else group[order]
    n = len(codes)
    rng = np.random.default_rng(subject.seed)
    sample = np.arange(n) if n <= SAMPLED else np.sort(rng.choice(n, SAMPLED, replace=False))
    of_sample = codes[sample]
    value, error = np.full(len(cut.names), np.nan), np.full(len(cut.names), np.nan)
    for number, many in enumerate(cut.rows().tolist()):
        rows = sample[of_sample != number] if n - many > SAMPLED else np.flatnonzero(codes != number)
        value[number], pull = subject.rank(taken(answers, rows))
        error[number], _ = _error(pull, None if group is None else group[rows])
    return value, error


def _ends(spec: MetricSpec, value: Floats, error: Floats, level: float, freedom: Floats) -> tuple[Floats, Floats]:
    low, high = np.full(len(value), np.nan), np.full(len(value), np.nan)
    for number in range(len(value)):
        if np.isfinite(value[number]) and error[number] > 0 and closed_forms.fits(float(value[number]), spec.scale):
            degrees = None if np.isinf(freedom[number]) else float(freedom[number])
            reach = closed_forms.quantile(level, degrees)
            low[number], high[number] = closed_forms.normal(
                float(value[number]), float(error[number]), reach, spec.scale
            )
    return low, high


def _error(pull: Floats, group: Codes | None) -> tuple[float, int]:
    """The standard error that pulls make, and the number of rows or clusters it rests on; nan from fewer than two."""
    units = pull if group is None else np.asarray(np.bincount(np.unique(group, return_inverse=True)[1], pull))
    many = len(units)
    return (float(np.sqrt((units**2).sum() * many / (many - 1))) if many > 1 else float("nan")), many
