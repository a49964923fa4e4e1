"""Corrections for looking at many slices at once; checks are corrected in `domain.judging`.

Imported by the modules of `evaluation`, and by `engine`'s worker code inside functions. A p-value that is not a number
(the test was undefined) stays so and does not count as a look.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


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
