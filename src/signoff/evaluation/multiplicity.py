"""Corrections for looking more than once: several checks, many slices, many attempts on one test set.

Imported by the modules of `evaluation`, and by `engine`'s worker code inside functions. A p-value that is not a number
(the test was undefined) stays so and does not count as a look.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values: below alpha, the chance of even one false alarm among them all is below alpha.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979). Needs nothing of how
    the tests hang together.
    """
    return _adjusted(p_values, lambda p: np.maximum.accumulate(p * np.arange(len(p), 0, -1)))


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values: of those below alpha, at most the share alpha is false alarms on average.

    Benjamini and Hochberg, JRSS B 57 (1995). For tests that are independent or positively dependent.
    """
    return _adjusted(p_values, _step_up)


def benjamini_yekutieli(p_values: ArrayLike) -> Floats:
    """As `benjamini_hochberg`, whatever the dependence between the tests.

    Benjamini and Yekutieli, "The control of the false discovery rate in multiple testing under dependency", Annals of
    Statistics 29 (2001), theorem 1.3. Its price is a factor of about log(how many) + 0.58.
    """
    return _adjusted(p_values, lambda p: _step_up(p) * np.sum(1.0 / np.arange(1, len(p) + 1)))


def holm_levels(count: int, *, level: float = 0.95, looks: int = 1) -> tuple[float, ...]:
    """The levels of confidence at which `count` checks may have to be judged, surest first.

    `looks` is how often this test set was used, this time included; each attempt gets an equal share of the chance of
    error (Bonferroni over attempts, Holm within one).
    """
    alpha = (1.0 - level) / looks
    return tuple(1.0 - alpha / remaining for remaining in range(count, 0, -1))


def holm_by_intervals(
    count: int, is_sure: Callable[[int, float], bool], *, level: float = 0.95, looks: int = 1
) -> tuple[float, ...]:
    """The level at which each of `count` checks is to be judged, by Holm's steps on intervals instead of p-values.

    `is_sure(index, level)` says whether that check's answer is sure at that confidence. Whoever is sure at the surest
    level makes the next ones' level less strict; the first step at which nobody is ends it, and who is left is judged
    at that step's level, where it is uncertain.
    """
    levels = holm_levels(count, level=level, looks=looks)
    judged: dict[int, float] = {}
    while len(judged) < count:
        now = levels[len(judged)]
        sure = [index for index in range(count) if index not in judged and is_sure(index, now)]
        judged.update(dict.fromkeys(sure or [index for index in range(count) if index not in judged], now))
    return tuple(judged[index] for index in range(count))


def _step_up(p: Floats) -> Floats:
    scaled = p * len(p) / np.arange(1, len(p) + 1)
    lowest: Floats = np.minimum.accumulate(scaled[::-1])[::-1]
    return lowest


def _adjusted(p_values: ArrayLike, of_sorted: Callable[[Floats], Floats]) -> Floats:
    given = np.asarray(p_values, dtype=np.float64)
    answer = np.full(given.shape, np.nan)
    known = np.flatnonzero(~np.isnan(given))
    if len(known):
        order = known[np.argsort(given[known], kind="stable")]
        answer[order] = np.minimum(of_sorted(given[order]), 1.0)
    return answer
