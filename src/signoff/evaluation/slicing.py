"""A column of a predictions file as a slicing of its rows: which readable value each row has.

Used by `predictions` when it reads a file; everything that looks at slices takes the `Slicing` it made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EMPTY = "(empty)"
"""How the rows that have no value in a column are called."""


@dataclass(frozen=True, slots=True)
class Slicing:
    """One column's readable values, and which each row has. `codes`: int32 (n,), -1 where the column is empty."""

    column: str
    values: tuple[str, ...]
    codes: NDArray[np.int32]
