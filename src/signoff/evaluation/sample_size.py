"""About how many rows like these would make an unsure check sure.

Imported by `report`. The answer is for planning: it takes the value seen for the true one, and asks for so many rows
that four such test sets in five would settle on which side of the limit the metric is.
"""

from __future__ import annotations

import math

from scipy.stats import norm

from signoff.domain.evidence import Interval

POWER = 0.8
"""The part of such test sets that would settle it."""

MOST_ROWS = 1_000_000_000
"""More is the same as never."""


def rows_needed(value: float, interval: Interval, limit: float, n: int, *, power: float = POWER) -> int | None:
    """So many rows, to two digits; None when no number would do (the value is the limit, or nothing varies).

    `n` rows gave `interval`. For Wilson's interval it is the sample size of the score test of a proportion (Fleiss,
    Levin, Paik 2003, equation 2.14), times the rows that stood for one independent row. For others the half towards the
    limit shrinks with the square root of the rows, on the logit scale where the method works there.
    """
    away = abs(value - limit)
    if not math.isfinite(away) or away == 0 or n < 1:
        return None
    reach, spare = float(norm.ppf(0.5 + interval.level / 2)), float(norm.ppf(power))
    if "wilson" in interval.method and 0 < limit < 1:
        rows = _of_proportion(value, interval, limit, n, reach, spare)
    else:
        rows = _by_scaling(value, interval, limit, n, reach, spare)
    if rows is None or not math.isfinite(rows) or rows > MOST_ROWS:
        return None
    digits = max(0, math.floor(math.log10(max(rows, 1))) - 1)
    return max(int(math.ceil(rows / 10**digits) * 10**digits), 1)


def _of_proportion(value: float, interval: Interval, limit: float, n: int, reach: float, spare: float) -> float | None:
    """Wilson's interval leaves out the limit exactly when the score test at the limit does."""
    width = interval.high - interval.low
    if width <= 0:
        return None
    independent = _independent_rows(value, interval, reach)
    root = reach * math.sqrt(limit * (1 - limit)) + spare * math.sqrt(value * (1 - value))
    return float((root / (value - limit)) ** 2 * n / independent)


def _independent_rows(value: float, interval: Interval, reach: float) -> float:
    """How many rows make Wilson's interval this one: the product of its ends is ``value**2 / (1 + reach**2 / n)``."""
    low, high = interval.low, interval.high
    if value < 0.5:  # noqa: PLR2004 - of the two classes, the one that does not vanish
        value, low, high = 1 - value, 1 - high, 1 - low
    return reach**2 / max(value**2 / (low * high) - 1, 1e-300)


def _by_scaling(value: float, interval: Interval, limit: float, n: int, reach: float, spare: float) -> float | None:
    end = interval.high if limit > value else interval.low
    here, edge, goal = (_scaled(number, interval.method, value) for number in (value, end, limit))
    half, away = abs(edge - here), abs(goal - here)
    if half <= 0 or away <= 0 or not math.isfinite(half) or not math.isfinite(away):
        return None
    return float(n * (half * (1 + spare / reach) / away) ** 2)


def _scaled(number: float, method: str, value: float) -> float:
    """On the scale where the interval is even, of methods that work on one."""
    if "delong" in method and 0 < value < 1:
        return math.log(number / (1 - number)) if 0 < number < 1 else math.nan
    return number
