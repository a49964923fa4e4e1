"""Two answers to the same rows, right or wrong: is the difference of their shares real, and how large is it.

Imported by the modules of `evaluation`. Everywhere `gained` is how many rows only the candidate has right, `lost` how
many only the champion has; all functions take arrays of them, one entry per table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

_HALVINGS = 60
"""Of an interval of length 2: to the last bits of a double."""


def mcnemar_exact(gained: ArrayLike, lost: ArrayLike) -> Floats:
    """The two-sided exact p-value that candidate and champion are right equally often: a sign test on who differs.

    McNemar, Psychometrika 12 (1947). Never too small, and therefore too large on few differing rows.
    """
    b, c = np.asarray(gained, dtype=np.float64), np.asarray(lost, dtype=np.float64)
    return np.asarray(np.minimum(2.0 * stats.binom.cdf(np.minimum(b, c), b + c, 0.5), 1.0))


def mcnemar_mid_p(gained: ArrayLike, lost: ArrayLike) -> Floats:
    """The two-sided mid-p value: half of the exact test's weight on what was seen. 1 when nothing differs.

    Recommended by Fagerland, Lydersen and Laake, "The McNemar test for binary matched-pairs data: mid-p and asymptotic
    are better than exact conditional", BMC Med. Res. Methodol. 13:91 (2013): close to its level on any number of rows.
    """
    b, c = np.asarray(gained, dtype=np.float64), np.asarray(lost, dtype=np.float64)
    answer = 2.0 * stats.binom.cdf(np.minimum(b, c), b + c, 0.5) - stats.binom.pmf(b, b + c, 0.5)
    return np.asarray(np.minimum(answer, 1.0))


def tango(gained: ArrayLike, lost: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The score interval (low, high) of the difference of two paired shares, candidate minus champion.

    Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
    Statistics in Medicine 17 (1998). It agrees with McNemar's test, keeps its level on few rows, and unlike `newcombe`
    stays narrow where both models are nearly always right together. nan where there are no rows.
    """
    b, c, n = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(gained, lost, n))
    z = stats.norm.ppf(0.5 + level / 2.0)
    ends = []
    for goal in (z, -z):
        low, high = np.full(b.shape, -1.0), np.full(b.shape, 1.0)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            is_below = _tango_score(b, c, n, middle) > goal
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
        ends.append(np.where(n > 0, (low + high) / 2.0, np.nan))
    return ends[0], ends[1]


def newcombe(
    both: ArrayLike, gained: ArrayLike, lost: ArrayLike, neither: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """The square-and-add interval (low, high) of the difference of two paired shares.

    Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired data",
    Statistics in Medicine 17 (1998), method 10: two Wilson intervals, put together with their correlation.
    """
    a, b, c, d = (np.asarray(part, dtype=np.float64) for part in (both, gained, lost, neither))
    n = a + b + c + d
    with np.errstate(divide="ignore", invalid="ignore"):
        ours, theirs = (a + b) / n, (a + c) / n
        product = (a + b) * (c + d) * (a + c) * (b + d)
        excess = a * d - b * c
        excess = np.where(excess > 0, np.maximum(excess - n / 2.0, 0.0), excess)
        phi = np.where(product > 0, excess / np.sqrt(product), 0.0)
        ours_low, ours_high = wilson(a + b, n, level)
        theirs_low, theirs_high = wilson(a + c, n, level)
        low = _root_of_squares(ours - ours_low, theirs_high - theirs, phi)
        high = _root_of_squares(ours_high - ours, theirs - theirs_low, phi)
    return ours - theirs - low, ours - theirs + high


def wilson(hits: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The score interval (low, high) of one share; `hits` and `n` may be effective, not whole, numbers of rows.

    Wilson, JASA 22 (1927).
    """
    hits, n = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z2 = float(stats.norm.ppf(0.5 + level / 2.0)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (hits + z2 / 2.0) / (n + z2)
        half = np.sqrt(z2 * np.maximum(hits * (n - hits) / n, 0.0) + z2 * z2 / 4.0) / (n + z2)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def _tango_score(b: Floats, c: Floats, n: Floats, delta: Floats) -> Floats:
    """How many standard errors the seen difference lies above `delta`; falls as `delta` rises."""
    linear = -b - c + (2.0 * n - b + c) * delta
    inner = np.maximum(linear**2 + 8.0 * n * c * delta * (1.0 - delta), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lost_share = (np.sqrt(inner) - linear) / (4.0 * n)
        variance = n * (2.0 * lost_share + delta * (1.0 - delta))
        score = (b - c - n * delta) / np.sqrt(np.maximum(variance, 0.0))
    return np.where(np.isnan(score), 0.0, score)


def _root_of_squares(ours: Floats, theirs: Floats, phi: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(ours**2 - 2.0 * phi * ours * theirs + theirs**2, 0.0)))
