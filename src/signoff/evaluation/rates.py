"""Shares of rows per group, and how many independent rows each is worth, given weights and clusters.

Imported by `fairness` and `slices`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rates:
    """Per group: a rate, and on how many rows' worth of knowledge it rests (weights and clusters make it fewer)."""

    rate: Floats
    rows: Floats


def rates_of(
    hits: NDArray[np.bool_],
    codes: NDArray[Any],
    groups: int,
    weight: Floats | None,
    cluster: NDArray[Any] | None,
) -> Rates:
    """The weighted share of `hits` per group, and the rows it is worth.

    Those are the rows of a plain sample with the same variance (Kish 1965; Rao and Scott 1992 for clustered shares),
    never more than the weights allow; where all or none are hits, the number of clusters.
    """
    weights = np.ones(len(hits)) if weight is None else weight
    total = np.bincount(codes, weights, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.bincount(codes, weights * hits, groups) / total
        worth = total**2 / np.bincount(codes, weights**2, groups)
        if cluster is None:
            if weight is not None:
                spread = np.bincount(codes, (weights * (hits - rate[codes])) ** 2, groups) / total**2
                worth = _fewest(worth, rate * (1.0 - rate) / spread)
        else:
            units, unit_of = np.unique(codes * (int(cluster.max()) + 1) + cluster, return_inverse=True)
            group_of = units // (int(cluster.max()) + 1)
            many = np.bincount(group_of, minlength=groups)
            pull = np.bincount(unit_of, weights * (hits - rate[codes]))
            spread = np.bincount(group_of, pull**2, groups) / total**2 * many / np.maximum(many - 1, 1)
            is_mixed = (rate > 0) & (rate < 1)
            worth = np.where(is_mixed, _fewest(worth, rate * (1.0 - rate) / spread), np.minimum(worth, many))
    return Rates(rate, np.where(total > 0, worth, 0.0))


def _fewest(worth: Floats, by_variance: Floats) -> Floats:
    return np.fmin(worth, np.where(np.isfinite(by_variance), by_variance, np.nan))
