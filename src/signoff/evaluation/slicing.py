"""A column of a predictions file as a slicing of its rows: which readable value each row has.

Used by `predictions` when it reads a file; everything that looks at slices takes the `Slicing` it made.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from signoff.evaluation.columns import Column

EMPTY = "(empty)"
"""How the rows that have no value in a column are called."""

MOST_NUMBERS = 20
"""A column of numbers with more different values is cut into bins."""

BINS = 5
"""Into so many, with about as many rows each."""

MOST_VALUES = 1000
"""A column of text with more different values (names, ids) is no slicing."""


LONGEST_VALUE = 200
"""Text with longer values is no slicing either."""


@dataclass(frozen=True, slots=True)
class Slicing:
    """One column's readable values, and which each row has. `codes`: int32 (n,), -1 where the column is empty."""

    column: str
    values: tuple[str, ...]
    codes: NDArray[np.int32]


def slicing_of(column: Column) -> Slicing | None:
    """The column as a slicing; None when it has too many different values, or holds lists and the like."""
    kind = column.values.type
    if pa.types.is_temporal(kind) and not (pa.types.is_time(kind) or pa.types.is_duration(kind)):
        return _of_dates(column)
    if column.is_number:
        numbers = np.asarray(column.values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        return _of_numbers(column.name, numbers)
    if not (column.is_text or column.is_bool or pa.types.is_null(kind)):
        return None
    codes, labels = column.encoded()
    if len(labels) > MOST_VALUES or max(map(len, labels), default=0) > LONGEST_VALUE:
        return None
    order = sorted(range(len(labels)), key=labels.__getitem__)
    return _renumbered(column.name, codes, order, [labels[code] for code in order])


def _of_numbers(name: str, numbers: NDArray[np.float64]) -> Slicing:
    known = np.isfinite(numbers)
    distinct = np.unique(numbers[known])
    if len(distinct) <= MOST_NUMBERS:
        codes = np.where(known, np.searchsorted(distinct, numbers), -1).astype(np.int32)
        return Slicing(name, tuple(_number(value) for value in distinct), codes)
    return _binned(name, numbers, known, _number)


def _of_dates(column: Column) -> Slicing:
    values = column.values
    is_date = pa.types.is_date(values.type)
    instants = values.cast(pa.timestamp("us", tz=None if is_date else getattr(values.type, "tz", None)))
    seconds = instants.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) / 1e6
    known = np.isfinite(seconds)
    distinct = np.unique(seconds[known])
    if len(distinct) <= MOST_NUMBERS:
        codes = np.where(known, np.searchsorted(distinct, seconds), -1).astype(np.int32)
        written = [str(_day(value)) if is_date else _instant(value) for value in distinct]
        return Slicing(column.name, tuple(written), codes)
    return _binned(column.name, seconds, known, lambda value: str(_day(value)))


def _binned(
    name: str, numbers: NDArray[np.float64], known: NDArray[np.bool_], write: Callable[[float], object]
) -> Slicing:
    """Quantile bins ``low to high``; a value on an edge is in the lower one."""
    edges = np.unique(np.quantile(numbers[known], np.arange(BINS + 1) / BINS, method="inverted_cdf"))
    inner = edges[1:-1] if len(edges) > 2 else edges[:1]  # noqa: PLR2004 - nearly every row has one value
    codes = np.where(known, np.searchsorted(inner, numbers, side="left"), -1).astype(np.int32)
    ends = [edges[0], *inner, edges[-1]]
    values = tuple(f"{write(low)} to {write(high)}" for low, high in itertools.pairwise(ends))
    return Slicing(name, values, codes)


def _renumbered(name: str, codes: NDArray[np.int64], order: list[int], values: list[str]) -> Slicing:
    place = np.full(len(order) + 1, -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return Slicing(name, tuple(value or EMPTY for value in values), place[codes])


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"  # noqa: PLR2004


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
