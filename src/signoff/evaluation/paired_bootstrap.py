"""The bootstrap of a difference of two models on the same rows: both are drawn together, by rows, cells or clusters.

Imported by `paired`. What is drawn are *units*: the different combinations of true, candidate's and champion's class
(of which there are few, so 10,000 draws cost nothing), clusters of rows, or single rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from signoff.evaluation.answers import Answers
from signoff.evaluation.bootstrap import resampled_cells, resampled_sums
from signoff.evaluation.metrics import MetricSpec, sums_by

Floats = NDArray[np.float64]
Codes = NDArray[Any]

_WORK = 5_000_000
"""How many units are drawn in all, at most where that gives enough draws."""
_FEWEST_DRAWS, _MOST_DRAWS = 2_000, 10_000
_LARGEST_UNDEFINED = 0.05


@dataclass(frozen=True, slots=True)
class Units:
    """Which unit each row is in, and how many rows' worth of draws each unit stands for (`many`, 1 but for cells)."""

    code: Codes
    many: Floats

    @property
    def is_cells(self) -> bool:
        """Whether units are combinations of classes, each drawn as often as it occurs."""
        return bool((self.many != 1).any())


def units_of(candidate: Answers, champion: Answers, group: Codes | None, *, is_of_classes: bool) -> Units:
    """The units to draw: clusters where there are any, else combinations of classes if they say it all, else rows."""
    n = len(candidate.y_true)
    if group is not None:
        _, code = np.unique(group, return_inverse=True)
        return Units(code, np.ones(int(code.max()) + 1))
    if is_of_classes and not candidate.is_weighted:
        joint = candidate.cells.astype(np.int64) * champion.classes + champion.y_pred
        _, code, many = np.unique(joint, return_inverse=True, return_counts=True)
        return Units(code, many.astype(float))
    return Units(np.arange(n), np.ones(n))


def draw_sums(
    specs: Sequence[MetricSpec], candidate: Answers, champion: Answers, units: Units, *, seed: int
) -> list[Floats]:
    """Per metric (each a function of sums), its paired difference in every draw; one set of draws for all of them."""
    size = len(units.many)
    parts = [sums_by(spec, answers, units.code, size) for spec in specs for answers in (candidate, champion)]
    flat = np.concatenate([part.reshape(size, -1) for part in parts], axis=1)
    draws = int(np.clip(_WORK // size, _FEWEST_DRAWS, _MOST_DRAWS))
    drawn = (
        resampled_cells(units.many, flat / units.many[:, None], seed=seed, replicates=draws)
        if units.is_cells
        else resampled_sums(flat, seed=seed, replicates=draws)
    )
    ends = np.cumsum([part[0].size for part in parts])
    pieces = [
        piece.reshape(-1, *part.shape[1:])
        for piece, part in zip(np.split(drawn, ends[:-1], axis=1), parts, strict=True)
    ]
    differences = []
    for number, spec in enumerate(specs):
        if spec.of_sums is None:
            raise TypeError(f"{spec.name} is not a function of sums")
        differences.append(spec.of_sums(pieces[2 * number]) - spec.of_sums(pieces[2 * number + 1]))
    return differences


@dataclass(frozen=True, slots=True)
class Bca:
    """The bias-corrected and accelerated interval of what was drawn, and the p-value that belongs to it.

    Efron, "Better bootstrap confidence intervals", JASA 82 (1987); the acceleration from the infinitesimal jackknife.
    """

    drawn: Floats
    bias: float
    acceleration: float

    @classmethod
    def of(cls, drawn: Floats, value: float, pull: Floats) -> Bca | None:
        """From draws, the value seen, and each unit's pull on it; None where too many draws are undefined."""
        known = np.sort(drawn[np.isfinite(drawn)])
        if len(known) < (1 - _LARGEST_UNDEFINED) * len(drawn) or known[0] == known[-1]:
            return None
        below = (np.count_nonzero(known < value) + np.count_nonzero(known <= value)) / 2
        share = np.clip(below / len(known), 0.5 / len(known), 1 - 0.5 / len(known))
        spread = float((pull**2).sum()) ** 1.5
        return cls(known, float(stats.norm.ppf(share)), float((pull**3).sum()) / (6 * spread) if spread > 0 else 0.0)

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
        below = (np.count_nonzero(self.drawn < 0) + np.count_nonzero(self.drawn <= 0)) / 2
        share = np.clip(below / len(self.drawn), 0.5 / len(self.drawn), 1 - 0.5 / len(self.drawn))
        moved = float(stats.norm.ppf(share)) - self.bias
        z = moved / max(1 + self.acceleration * moved, 1e-9) - self.bias
        return float(min(1.0, 2 * stats.norm.sf(abs(z))))

    def _share(self, z: float) -> float:
        moved = self.bias + z
        return float(stats.norm.cdf(self.bias + moved / max(1 - self.acceleration * moved, 1e-9)))
