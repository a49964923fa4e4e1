"""Columns of a predictions file as arrays: labels, numbers, clusters; each refused with its row when it makes no sense.

Imported by `predictions` only. Rows are counted from 1, after the header.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from signoff.domain.errors import PredictionsError

Floats = NDArray[np.float64]

MOST_CLASSES_IN_NUMBERS = 20
"""Whole numbers with at most so many different values are taken for classes."""


class Column:
    """One column of one file, and what to call it when it is refused."""

    def __init__(self, source: str, name: str, values: pa.ChunkedArray) -> None:
        self.source = source
        self.name = name
        if pa.types.is_dictionary(values.type) and not _is_text(values.type.value_type):
            values = values.cast(values.type.value_type)
        self.values = values.unify_dictionaries().combine_chunks()
        if pa.types.is_decimal(self.values.type) or pa.types.is_float16(self.values.type):
            self.values = self.values.cast(pa.float64())

    def refusal(self, row: int, what: str, hint: str) -> PredictionsError:
        """The refusal of one cell; `row` counts from 0 here."""
        return PredictionsError(f"{self.source}, column {self.name!r}, row {row + 1}: {what}.", hint)

    @property
    def is_number(self) -> bool:
        """Whether the file holds numbers here."""
        return bool(pa.types.is_integer(self.values.type) or pa.types.is_floating(self.values.type))

    @property
    def is_bool(self) -> bool:
        """Whether the file holds true and false here."""
        return bool(pa.types.is_boolean(self.values.type))

    @property
    def is_text(self) -> bool:
        """Whether the file holds text here."""
        kind = self.values.type
        return _is_text(kind) or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))

    def check_full(self) -> None:
        """Refuse an empty cell."""
        if self.values.null_count:
            row = int(np.flatnonzero(self.values.is_null().to_numpy(zero_copy_only=False))[0])
            raise self.refusal(row, "no value", "Every row needs one; leave out rows that have none, and say so.")

    def floats(self, *, least: float = -np.inf) -> Floats:
        """The numbers (n,), every one finite and none below `least`."""
        self.check_full()
        if not self.is_number and not self.is_bool:
            raise self._not_a_number()
        numbers = np.asarray(self.values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if wrong.size:
            row = int(wrong[0])
            word = "not a number (NaN)" if np.isnan(numbers[row]) else "infinite"
            raise self.refusal(row, word, "Every row needs a finite number; find out where this one comes from.")
        wrong = np.flatnonzero(numbers < least)
        if wrong.size:
            raise self.refusal(int(wrong[0]), f"{numbers[wrong[0]]:g} is below {least:g}", "It cannot be.")
        return numbers

    def _not_a_number(self) -> PredictionsError:
        if self.is_text:
            for row, value in enumerate(self.values):
                try:
                    float(value.as_py())
                except ValueError:
                    return self.refusal(
                        row, f"{_short(value.as_py())} is not a number", "This column holds numbers only."
                    )
        return PredictionsError(
            f"{self.source}, column {self.name!r}, row 1: {self.values.type} where numbers are needed.",
            "Write plain numbers.",
        )

    def whole_values(self) -> NDArray[np.int64] | None:
        """The different values, where all of them are whole numbers and they are few enough to be classes."""
        if not self.is_number or self.values.null_count:
            return None
        distinct = pc.unique(self.values).cast(pa.float64()).to_numpy(zero_copy_only=False)
        is_whole = np.isfinite(distinct).all() and (np.floor(distinct) == distinct).all()
        if len(distinct) > MOST_CLASSES_IN_NUMBERS or not is_whole or np.abs(distinct).max(initial=0) > 2**53:
            return None
        return np.sort(distinct).astype(np.int64)

    def encoded(self, *, as_number: bool = False) -> tuple[NDArray[np.int64], list[str]]:
        """Codes (n,) and the label of each code: text as it is, whole numbers without a point, ``true`` and ``false``.

        `as_number` writes true and false as 1 and 0. An empty cell has the code -1.
        """
        coded = self.values if pa.types.is_dictionary(self.values.type) else self.values.dictionary_encode()
        indices = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        known = indices >= 0
        # Numbered as they come: a dictionary may be in any order, and hold values that no row has.
        used, first = np.unique(indices[known], return_index=True)
        used = used[np.argsort(first)]
        place = np.full(len(coded.dictionary) + 1, -1, np.int64)
        place[used] = np.arange(len(used))
        return place[indices], [
            _label(value, as_number=as_number) for value in coded.dictionary.take(pa.array(used)).to_pylist()
        ]


def codes_among(column: Column, labels: dict[str, int], *, as_number: bool) -> NDArray[np.int64]:
    """Each row's code in `labels`; refuses an empty cell, and a label that is not there."""
    column.check_full()
    indices, own = column.encoded(as_number=as_number)
    table = np.array([labels.get(label, -1) for label in own], dtype=np.int64)
    codes: NDArray[np.int64] = table[indices]
    strange = np.flatnonzero(codes < 0)
    if strange.size:
        row = int(strange[0])
        known = ", ".join(list(labels)[:8]) + (", ..." if len(labels) > 8 else "")  # noqa: PLR2004
        raise column.refusal(
            row,
            f"{_short(own[indices[row]])} is none of the classes ({known})",
            "Predict one of the test set's classes.",
        )
    return codes


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _label(value: Any, *, as_number: bool) -> str:
    if isinstance(value, bool):
        return str(int(value)) if as_number else str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _short(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")  # noqa: PLR2004
