"""The rows of a test set parted into slices, and what within each slice is independent of each other.

Imported by `subject`, `slice_measures`, `slices` and `slice_search`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from signoff.evaluation.slicing import EMPTY, Slicing

Floats = NDArray[np.float64]
Codes = NDArray[Any]

_SHORT = 1 << 15
"""Numbers below it are sorted by their digits, in linear time."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The rows parted by `columns`: `names` of each slice, and which slice each row is in (-1: in none)."""

    columns: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    codes: Codes

    def narrowed(self, keep: Codes) -> Cut:
        """Only the slices whose numbers are in `keep`."""
        place = np.full(len(self.names) + 1, -1)
        place[keep] = np.arange(len(keep))
        return Cut(self.columns, tuple(self.names[int(number)] for number in keep), place[self.codes])

    def rows(self) -> Codes:
        """How many rows each slice has."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    @property
    def is_whole(self) -> bool:
        """Whether every row is in a slice."""
        return bool((self.codes >= 0).all())

    def masses(self, weight: Floats) -> Floats:
        """How much weight each slice has."""
        inside = self.codes >= 0
        return np.asarray(np.bincount(self.codes[inside], weight[inside], len(self.names)))


def cut_by(slicings: Sequence[Slicing]) -> Cut:
    """The rows parted by the values of one or more columns together; the empty value is one, too."""
    joint = np.zeros(len(slicings[0].codes), dtype=np.int64)
    for slicing in slicings:
        size = len(slicing.values) + 1
        joint = joint * size + np.where(slicing.codes < 0, size - 1, slicing.codes)
    seen, codes = np.unique(joint, return_inverse=True) if len(slicings) > 1 else _present(joint)
    names = []
    for number in seen.tolist():
        parts = []
        for slicing in reversed(slicings):
            number, place = divmod(number, len(slicing.values) + 1)  # noqa: PLW2901
            parts.append(slicing.values[place] if place < len(slicing.values) else EMPTY)
        names.append(tuple(reversed(parts)))
    return Cut(tuple(slicing.column for slicing in slicings), tuple(names), codes)


def _present(joint: Codes) -> tuple[Codes, Codes]:
    seen = np.flatnonzero(np.bincount(joint))
    place = np.zeros(int(seen.max(initial=0)) + 1, dtype=np.int64)
    place[seen] = np.arange(len(seen))
    return seen, place[joint]


@dataclass(eq=False)
class Units:
    """The rows, or clusters of rows, within each slice: what is independent of each other."""

    cut: Cut
    group: Codes | None

    @cached_property
    def _inside(self) -> Codes | None:
        return None if self.cut.is_whole else np.flatnonzero(self.cut.codes >= 0)

    @cached_property
    def _pairs(self) -> tuple[Codes, Codes]:
        """Of each slice and cluster that meet: the slice, and of each row inside, which pair it is in."""
        if self.group is None:
            raise TypeError("no clusters")
        width = int(self.group.max()) + 1
        units, unit_of = np.unique(self._of(self.cut.codes) * width + self._of(self.group), return_inverse=True)
        return units // width, unit_of

    def _of(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self._inside is None else values[self._inside]

    @cached_property
    def many(self) -> Codes:
        """How many there are in each slice."""
        return np.bincount(self._of(self.cut.codes) if self.group is None else self._pairs[0], minlength=self.size)

    @property
    def size(self) -> int:
        """How many slices."""
        return len(self.cut.names)

    def squares(self, pull: Floats) -> Floats:
        """Per slice, the sum of squares of the pulls, added up within clusters first."""
        pull = self._of(pull)
        if self.group is None:
            return np.asarray(np.bincount(self._of(self.cut.codes), pull**2, self.size))
        of_slice, unit_of = self._pairs
        return np.asarray(np.bincount(of_slice, np.bincount(unit_of, pull) ** 2, self.size))

    def error(self, pull: Floats) -> Floats:
        """Per slice, the standard error that the pulls make; nan from fewer than two."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.many > 1, np.sqrt(self.squares(pull) * self.many / (self.many - 1)), np.nan)

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom of each slice's error; without clusters infinite."""
        return np.full(self.size, np.inf) if self.group is None else np.maximum(self.many - 1.0, 1.0)

    def reach(self, level: float) -> Floats:
        """Per slice, by how many standard errors Student's t reaches."""
        return np.asarray(stats.t.ppf(0.5 + level / 2.0, np.maximum(self.many - 1, 1)))


def rows_of(cut: Cut, codes: Codes | None = None) -> list[Codes]:
    """The places in `codes` (the cut's own, or those in another order) of each slice's rows, in order."""
    codes = cut.codes if codes is None else codes
    order = np.argsort(codes.astype(np.int16) if len(cut.names) < _SHORT else codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(cut.names) + 1))
    return [order[first:last] for first, last in itertools.pairwise(starts)]
