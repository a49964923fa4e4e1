"""Draws of a difference of two models on the same rows: both are drawn together, by rows, clusters or combinations.

Imported by `paired`. Rows and clusters are drawn with replacement (the bootstrap); where classes say it all, how often
each combination of true, candidate's and champion's class occurs is drawn from its posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from signoff.evaluation.answers import Answers
from signoff.evaluation.bootstrap import resampled_sums
from signoff.evaluation.confusion import margins_by
from signoff.evaluation.metrics import MetricSpec, sums_by

Floats = NDArray[np.float64]
Codes = NDArray[Any]

_WORK = 5_000_000
"""How many units are drawn in all, at most where that gives enough draws."""
_FEWEST_DRAWS, _MOST_DRAWS = 2_000, 10_000
_POSTERIOR_DRAWS = 8_000
_PRIOR_ROWS = 2.0
_MOST_CLASSES = 10
"""So that all combinations of three are few; with more, rows are drawn."""
_LARGEST_UNDEFINED = 0.05


@dataclass(frozen=True, slots=True)
class Units:
    """Which unit each row is in, from 0 without gaps, and how many units there are."""

    code: Codes
    size: int


def units_of(n: int, group: Codes | None) -> Units:
    """The units to draw: clusters where there are any, else rows."""
    if group is None:
        return Units(np.arange(n), n)
    _, code = np.unique(group, return_inverse=True)
    return Units(code, int(code.max()) + 1)


def has_posterior(candidate: Answers, group: Codes | None) -> bool:
    """Whether the combinations of classes say all there is to say of the rows, and are few enough."""
    return group is None and not candidate.is_weighted and candidate.classes <= _MOST_CLASSES


def draw_sums(
    specs: Sequence[MetricSpec], candidate: Answers, champion: Answers, units: Units, *, seed: int
) -> list[Floats]:
    """Per metric (each a function of sums), its paired difference in every draw; one set of draws for all of them."""
    size = units.size
    parts = [sums_by(spec, answers, units.code, size) for spec in specs for answers in (candidate, champion)]
    flat = np.concatenate([part.reshape(size, -1) for part in parts], axis=1)
    drawn = resampled_sums(flat, seed=seed, replicates=int(np.clip(_WORK // size, _FEWEST_DRAWS, _MOST_DRAWS)))
    ends = np.cumsum([part[0].size for part in parts])
    pieces = [
        piece.reshape(-1, *part.shape[1:])
        for piece, part in zip(np.split(drawn, ends[:-1], axis=1), parts, strict=True)
    ]
    return [
        function_of(spec)(pieces[2 * number]) - function_of(spec)(pieces[2 * number + 1])
        for number, spec in enumerate(specs)
    ]


def draw_posterior(specs: Sequence[MetricSpec], candidate: Answers, champion: Answers, *, seed: int) -> list[Floats]:
    """As `draw_sums`, of metrics of classes, from the posterior of the combinations' shares.

    Before the data, each true class has two rows, spread evenly over what both models may answer: half a row for each
    combination where there are two classes.
    """
    k = candidate.classes
    true, ours, theirs = (part.ravel() for part in np.indices((k, k, k)))
    joint = (candidate.y_true.astype(np.int64) * k + candidate.y_pred) * k + champion.y_pred
    counts = np.bincount(joint, minlength=k**3).astype(float)
    shape = np.where(np.bincount(true, counts)[true] > 0, counts + _PRIOR_ROWS / k**2, 0.0)
    drawn = np.random.default_rng(seed).standard_gamma(shape, size=(_POSTERIOR_DRAWS, k**3))
    one, each = np.ones(k**3), np.arange(k**3)
    both = [
        (drawn @ margins_by(true, answer, one, each, k**3, k).reshape(k**3, -1)).reshape(-1, 3, k)
        for answer in (ours, theirs)
    ]
    return [function_of(spec)(both[0]) - function_of(spec)(both[1]) for spec in specs]


def function_of(spec: MetricSpec) -> Callable[[Floats], Floats]:
    """The metric from its sums."""
    if spec.of_sums is None:
        raise TypeError(f"{spec.name} is not a function of sums")
    return spec.of_sums


@dataclass(frozen=True, slots=True)
class Bca:
    """The interval of what was drawn, and the p-value that belongs to it: plain, or bias-corrected and accelerated.

    Efron, "Better bootstrap confidence intervals", JASA 82 (1987); the acceleration from the infinitesimal jackknife.
    """

    drawn: Floats
    bias: float
    acceleration: float

    @classmethod
    def of(cls, drawn: Floats) -> Bca | None:
        """Plain, from draws; None where too many are undefined, or all are the same."""
        known = np.sort(drawn[np.isfinite(drawn)])
        if len(known) < (1 - _LARGEST_UNDEFINED) * len(drawn) or known[0] == known[-1]:
            return None
        return cls(known, 0.0, 0.0)

    @classmethod
    def corrected(cls, drawn: Floats, value: float, pull: Floats) -> Bca | None:
        """Corrected by where the value seen lies among the draws, and by the skewness of each unit's pull on it."""
        plain = cls.of(drawn)
        if plain is None:
            return None
        known, spread = plain.drawn, float((pull**2).sum()) ** 1.5
        return cls(
            known,
            float(stats.norm.ppf(_share_below(known, value))),
            float((pull**3).sum()) / (6 * spread) if spread > 0 else 0.0,
        )

    def interval(self, level: float) -> tuple[float, float]:
        """Its ends at `level`."""
        z = float(stats.norm.ppf(0.5 + level / 2))
        low, high = np.quantile(self.drawn, [self._share(-z), self._share(z)])
        return float(low), float(high)

    @property
    def is_one_sided(self) -> bool:
        """Whether no draw reached 0: then they only say that the p-value is below one in their number."""
        return bool(self.drawn[0] > 0 or self.drawn[-1] < 0)

    def p_value(self) -> float:
        """One minus the level at which the interval's nearer end touches 0."""
        moved = float(stats.norm.ppf(_share_below(self.drawn, 0.0))) - self.bias
        z = moved / max(1 + self.acceleration * moved, 1e-9) - self.bias
        return float(min(1.0, 2 * stats.norm.sf(abs(z))))

    def _share(self, z: float) -> float:
        moved = self.bias + z
        return float(stats.norm.cdf(self.bias + moved / max(1 - self.acceleration * moved, 1e-9)))


def _share_below(drawn: Floats, value: float) -> float:
    """The share of draws below a value, those at it half; never 0 or 1."""
    below = (np.count_nonzero(drawn < value) + np.count_nonzero(drawn <= value)) / (2 * len(drawn))
    return float(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
