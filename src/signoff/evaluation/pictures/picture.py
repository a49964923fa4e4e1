"""A picture as a value: a Vega-Lite specification, the table that it was drawn from, and what it says in a sentence.

Everything in `pictures` makes one of these; `report` and the worker's engine code keep them as files.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MOST_POINTS = 2000
"""No picture draws more points than this; what is left out is chosen as `thinning` says."""

Kind = Literal["text", "count", "share", "number"]
Cell = str | int | float | bool | None
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: the key in each row, the heading for people, and how its values read."""

    field: str
    title: str
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class Table:
    """What a picture shows, row by row: its text alternative. Rows are plain JSON values, None for unknown."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. `name` is safe in a file name and unique in an album.

    `subtitle` says how to look at it, and what was left out where not every row is drawn. `reading` is what it says,
    and also the specification's description, which a screen reader reads. `spec` holds the table's rows under
    `datasets`, no background and no colours of its own: these come with the configuration (`look.configuration`).
    """

    name: str
    title: str
    subtitle: str
    reading: str
    spec: Mapping[str, Any]
    table: Table

    def spec_json(self) -> bytes:
        """The specification as the file `<name>.vl.json`."""
        return _json(self.spec)

    def table_json(self) -> bytes:
        """The table as the file `<name>.table.json`: columns, and rows as lists in their order."""
        columns = [{"field": c.field, "title": c.title, "kind": c.kind} for c in self.table.columns]
        values = [[row.get(c.field) for c in self.table.columns] for row in self.table.rows]
        return _json({"columns": columns, "rows": values})


def rows_of(columns: Sequence[Column], *values: Iterable[Any]) -> list[Row]:
    """Rows from one sequence per column: numbers to six digits, what is not finite as None."""
    fields = [column.field for column in columns]
    return [dict(zip(fields, map(cell, row), strict=True)) for row in zip(*values, strict=True)]


def cell(value: Any) -> Cell:
    """`value` as JSON holds it: Python's own types, six digits, None for what is not finite."""
    if value is None or isinstance(value, str | bool):
        return value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value if isinstance(value, int | bool) else str(value)


def file_part(name: str) -> str:
    """`name`, which may hold anything, as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:64]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
