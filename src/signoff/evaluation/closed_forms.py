"""Intervals by formula: Wilson's for proportions, normal ones on the scale that suits the metric, order statistics.

Imported by `intervals`. Each takes the quantile it needs from the level and the degrees of freedom.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

Floats = NDArray[np.float64]
Scale = Literal["identity", "logit", "log", "fisher"]
Ends = tuple[float, float]


def quantile(level: float, freedom: float | None = None) -> float:
    """How many standard errors a two-sided interval of this level reaches; Student's with `freedom` degrees."""
    part = 0.5 + level / 2
    return float(norm.ppf(part) if freedom is None else student.ppf(part, max(freedom, 1.0)))


def wilson(value: float, n: float, z: float) -> Ends:
    """Wilson's score interval (1927) of a proportion seen in `n` rows, which may be an effective number of rows.

    Newcombe 1998, "Two-sided confidence intervals for the single proportion", method 3.
    """
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    low = 0.0 if value <= 0 else max(0.0, float(middle - half))
    high = 1.0 if value >= 1 else min(1.0, float(middle + half))
    return low, high


def normal(value: float, error: float, z: float, scale: Scale) -> Ends:
    """`value` give or take `z` standard errors, computed on `scale` (the delta method) and put back.

    The value must be inside the scale's range: (0, 1) for logit, above 0 for log, (-1, 1) for fisher.
    """
    if scale == "logit":
        middle, half = float(np.log(value / (1 - value))), z * error / (value * (1 - value))
        return float(1 / (1 + np.exp(-(middle - half)))), float(1 / (1 + np.exp(-(middle + half))))
    if scale == "log":
        half = z * error / value
        return float(value * np.exp(-half)), float(value * np.exp(half))
    if scale == "fisher":
        middle, half = float(np.arctanh(value)), z * error / (1 - value**2)
        return float(np.tanh(middle - half)), float(np.tanh(middle + half))
    return value - z * error, value + z * error


def fits(value: float, scale: Scale) -> bool:
    """Whether the value is inside the scale's range."""
    low, high = {"logit": (0.0, 1.0), "log": (0.0, np.inf), "fisher": (-1.0, 1.0), "identity": (-np.inf, np.inf)}[scale]
    return bool(low < value < high)


def order_statistics(values: Floats, weight: Floats, n: float, z: float, part: float = 0.5) -> Ends:
    """The interval of a quantile: the values where Wilson's interval of `part`, in `n` effective rows, begins and ends.

    Woodruff 1952, "Confidence intervals for medians and other position measures"; needs no density.
    """
    low, high = wilson(part, n, z)
    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], np.cumsum(weight[order])
    reached = reached / reached[-1]
    last = len(ordered) - 1
    below = min(max(int(np.searchsorted(reached, low, side="right")), 0), last)
    above = min(int(np.searchsorted(reached, high, side="left")), last)
    return float(ordered[below]), float(ordered[above])
