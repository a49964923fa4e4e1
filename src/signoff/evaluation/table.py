"""A predictions file as columns, or a refusal that says what is wrong with it and where.

Imported by `predictions` only, which gives the columns their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from signoff.domain.errors import PredictionsError

_ARROW_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns?, got (\d+)")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a predictions file may have at most; `size` in bytes, of a parquet file also once it is unpacked."""

    rows: int = 5_000_000
    columns: int = 200
    cells: int = 100_000_000
    size: int = 1 << 29


def read_table(path: Path, limits: Limits) -> pa.Table:
    """Every column of the file, text as text, empty cells as nulls."""
    kind = path.suffix.lower()
    if kind not in {".csv", ".parquet"}:
        raise PredictionsError(f"{path.name} is neither .csv nor .parquet.", "Write predictions as one of the two.")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise PredictionsError(
            f"{path.name} cannot be read: {error.strerror}.", "Let the test step write it."
        ) from error
    if size == 0:
        raise PredictionsError(f"{path.name} is empty.", "It was perhaps cut off while it was written.")
    if size > limits.size:
        raise _too_much(path, f"{size:,} bytes", f"{limits.size:,}")
    table = _read_csv(path, limits) if kind == ".csv" else _read_parquet(path, limits)
    _check_names(path, table.column_names)
    if not table.num_rows:
        raise PredictionsError(f"{path.name} has a header and no rows.", "Write a row for each row of the test set.")
    return table


def _check_shape(path: Path, rows: int, columns: int, limits: Limits) -> None:
    if rows > limits.rows:
        raise _too_much(path, f"{rows:,} rows", f"{limits.rows:,}")
    if columns > limits.columns:
        raise _too_much(path, f"{columns:,} columns", f"{limits.columns:,}")
    if rows * columns > limits.cells:
        raise _too_much(path, f"{rows * columns:,} values", f"{limits.cells:,}")


def _too_much(path: Path, what: str, limit: str) -> PredictionsError:
    return PredictionsError(
        f"{path.name} has {what}, more than the {limit} that are read.",
        "Write a random sample of the rows, and only columns that people will look at.",
    )


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PredictionsError(f"{path.name} has the column {twice[0]!r} more than once.", "Name each column once.")
    for number, name in enumerate(names, start=1):
        if not name.strip() or not name.isprintable():
            raise PredictionsError(f"{path.name}: column {number} has no readable name.", "Name it in the header.")


def _read_csv(path: Path, limits: Limits) -> pa.Table:
    """In several threads; when that fails once more in one, which knows the row."""
    try:
        table = _parse_csv(path, use_threads=True)
    except pa.ArrowInvalid:
        try:
            table = _parse_csv(path, use_threads=False)
        except pa.ArrowInvalid as error:
            raise _bad_csv(path, str(error)) from error
    _check_shape(path, table.num_rows, table.num_columns, limits)
    if _is_cut_in_a_quote(path):
        raise PredictionsError(f"{path.name} ends inside a quoted value.", "It was cut off; write it once more.")
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_binary(column.type):
            row = _first_not_text(column)
            raise PredictionsError(f"{path.name}, column {name!r}, row {row}: not UTF-8 text.", "Write it as UTF-8.")
    return table


def _parse_csv(path: Path, *, use_threads: bool) -> pa.Table:
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=use_threads),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
        ),
    )


def _bad_csv(path: Path, words: str) -> PredictionsError:
    found = _ARROW_ROW.search(words)
    if found is None:
        return PredictionsError(f"{path.name} is not a readable CSV file: {words}.", "Write it as plain UTF-8 CSV.")
    row, expected, got = (int(number) for number in found.groups())
    return PredictionsError(
        f"{path.name}, row {row - 1}: {got} values where the header has {expected}.",
        "Rows are counted after the header. It was perhaps cut off, or a value with a comma is not quoted.",
    )


def _is_cut_in_a_quote(path: Path) -> bool:
    quotes, last = 0, b""
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            quotes += block.count(b'"')
            last = block[-1:]
    return quotes % 2 == 1 and last != b"\n"


def _first_not_text(column: pa.ChunkedArray) -> int:
    for row, value in enumerate(column, start=1):
        try:
            (value.as_py() or b"").decode()
        except UnicodeDecodeError:
            return row
    return 1


def _text_columns(path: Path) -> list[str]:
    schema = pa.parquet.read_schema(path)
    return [each.name for each in schema if pa.types.is_string(each.type) or pa.types.is_large_string(each.type)]


def _read_parquet(path: Path, limits: Limits) -> pa.Table:
    try:
        # Text stays in its dictionary: one long value that a million rows repeat is not written out a million times.
        with pa.parquet.ParquetFile(path, read_dictionary=_text_columns(path)) as file:
            shape = file.metadata
            _check_shape(path, shape.num_rows, shape.num_columns, limits)
            unpacked = sum(shape.row_group(group).total_byte_size for group in range(shape.num_row_groups))
            if unpacked > limits.size:
                raise _too_much(path, f"{unpacked:,} bytes once unpacked", f"{limits.size:,}")
            return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PredictionsError(
            f"{path.name} is not a readable parquet file: {words}", "It was perhaps cut off; write it once more."
        ) from error
