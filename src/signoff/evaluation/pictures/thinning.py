"""Which points of a long curve or a big cloud are drawn, so that leaving points out never changes what is seen.

Three ways, each with what it promises. A reading is always computed from all rows, never from what is drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def evenly_along(x: Floats, y: Floats, most: int) -> Indices:
    """At most `most` vertices of a curve that only rises (ROC), evenly spaced along it; both ends are kept.

    Distance is |dx| + |dy|, at most 2 in all in the unit square. Promise: each vertex that is left out lies within
    2 / (most - 1) of one that is kept, so nowhere is the drawn line further than that from the whole curve. All
    vertices are kept when there are not more than `most`.
    """
    if len(x) <= most:
        return np.arange(len(x))
    along = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    wanted = np.linspace(0.0, along[-1], most)
    kept = np.searchsorted(along, wanted)
    kept[0], kept[-1] = 0, len(x) - 1
    return np.unique(np.minimum(kept, len(x) - 1))


def by_column(x: Floats, y: Floats, most: int) -> Indices:
    """At most `most` vertices of a curve over a sorted `x`: each column's first, last, lowest and highest.

    M4 (Jugel, Jerzak, Hackenbroich and Markl, "M4: a visualization-oriented time series data aggregation", VLDB 2014):
    drawn `most` / 4 pixels wide the curve looks exactly as with every vertex. Undefined `y` must have been dropped.
    """
    if len(x) <= most:
        return np.arange(len(x))
    columns = most // 4
    span = x[-1] - x[0]
    place = np.zeros(len(x)) if span == 0 else (x - x[0]) / span
    column = np.clip((place * columns).astype(np.int64), 0, columns - 1)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(column) != 0)))
    lengths = np.diff(np.concatenate((starts, [len(x)])))
    kept = [starts, starts + lengths - 1]
    for extreme in (np.minimum, np.maximum):
        hit = np.flatnonzero(y == np.repeat(extreme.reduceat(y, starts), lengths))
        kept.append(hit[np.unique(column[hit], return_index=True)[1]])
    return np.unique(np.concatenate(kept))


def sample(n: int, most: int, seed: int) -> Indices:
    """`most` of `n` rows, each as likely as any other, in the file's order; all where there are fewer."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def sampled_words(n: int, most: int, seed: int) -> str:
    """What a subtitle says of `sample`; empty when every row is drawn."""
    return "" if n <= most else f"{most:,} of {n:,} rows, drawn evenly at random (seed {seed})"


def as_floats(values: NDArray[Any]) -> Floats:
    """`values` as float64, without a copy where they are."""
    return np.asarray(values, dtype=np.float64)
