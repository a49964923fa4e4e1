"""Resampled sums and the BCa interval: how a metric would have come out on other rows of the same kind.

Imported by `intervals`. A metric here is a function of sums over units (rows, or clusters of rows), so a resample is a
product of a matrix of counts with the units' sums; nothing loops over rows, and memory stays small by going in blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

Floats = NDArray[np.float64]

REPLICATES = 2000
"""Resamples: the ends of a 95 % interval then vary by about 3 % of its width from seed to seed."""

MOST_UNITS = 20_000
"""With more rows (or clusters) than this the delta method is as good, and cheap."""

_BLOCK = 1 << 19


def resampled_sums(units: Floats, *, seed: int, replicates: int = REPLICATES) -> Floats:
    """The sums (replicates, m) of so many draws, with replacement, of as many units as `units` (u, m) has.

    The same seed and number of units draw the same units, whatever their columns: two models are resampled together.
    """
    rng = np.random.default_rng(seed)
    size = len(units)
    block = max(1, min(replicates, _BLOCK // max(size, 1)))
    sums = np.empty((replicates, units.shape[1]))
    for first in range(0, replicates, block):
        many = min(block, replicates - first)
        drawn = rng.integers(0, size, (many, size), dtype=np.int64)
        drawn += np.arange(many, dtype=np.int64)[:, None] * size
        counts = np.bincount(drawn.ravel(), minlength=many * size).reshape(many, size)
        sums[first : first + many] = counts.astype(np.float64) @ units
    return sums


def resampled_cells(counts: NDArray[Any], sums: Floats, *, seed: int, replicates: int = REPLICATES) -> Floats:
    """As `resampled_sums`, of rows that are alike within cells: `counts` (c,) rows with the sums (c, m) of one row.

    The numbers of rows drawn from each cell are multinomial, so this costs the same however many rows there are.
    """
    total = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=replicates)
    return np.asarray(drawn @ sums)


def bca(
    value: float, replicates: Floats, influence: Floats, level: float, *, is_expanded: bool = False
) -> tuple[float, float]:
    """The bias-corrected and accelerated interval of a value from its replicates; nan twice when they do not vary.

    Efron 1987, "Better bootstrap confidence intervals"; the acceleration is that of the influence values (u,) of the
    units, his equation 7.4. Replicates that are nan (a resample without any positive row) are left out. Expanded, it
    makes up for that few units spread less than what they come from (Hesterberg 2015, section 4.3).
    """
    known = replicates[np.isfinite(replicates)]
    if len(known) < 2 or np.ptp(known) <= 1e-12 * max(1.0, abs(value)):  # noqa: PLR2004
        return float("nan"), float("nan")
    tiny = 1e-12 * max(1.0, abs(value))
    below = np.mean(known < value - tiny) + np.mean(np.abs(known - value) <= tiny) / 2
    bias = float(norm.ppf(np.clip(below, 1 / (2 * len(known)), 1 - 1 / (2 * len(known)))))
    spread = float((influence**2).sum())
    speed = float((influence**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    size = len(influence)
    reach = float(
        student.ppf(0.5 + level / 2, size - 1) * np.sqrt(size / (size - 1))
        if is_expanded
        else norm.ppf(0.5 + level / 2)
    )
    ends = np.array([-reach, reach])
    parts = norm.cdf(bias + (bias + ends) / (1 - speed * (bias + ends)))
    low, high = np.quantile(known, parts)
    return float(low), float(high)


def jeffreys(
    cells: Floats, of_cells: Any, level: float, *, seed: int, draws: int = 4 * REPLICATES
) -> tuple[float, float]:
    """The middle of a metric's posterior given a confusion matrix (k, k), under Jeffreys's prior for each class's rows.

    For metrics at their very edge, where every resample looks alike (Brown, Cai, DasGupta 2001 for one proportion;
    Goutte & Gaussier 2005 for F1). `of_cells`: the metric of matrices (..., k, k). An end that the value is beyond
    moves to the value.
    """
    size = len(cells)
    prior = np.full((size, size), 0.5 / max(size - 1, 1))
    np.fill_diagonal(prior, 0.5)
    prior[cells.sum(1) == 0] = 0.0
    rng = np.random.default_rng(seed)
    shape = cells + prior
    drawn = rng.standard_gamma(np.broadcast_to(shape, (draws, size, size)))
    values = of_cells(drawn)
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    value = float(of_cells(cells))
    return min(float(low), value), max(float(high), value)
