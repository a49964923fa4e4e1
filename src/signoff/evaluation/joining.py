"""The champion's predictions beside the candidate's, row by row: what a paired comparison starts from.

Imported by `engine`'s worker code inside functions. Both files were left by the same command for the same test set;
whether that is so is looked at, never assumed.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from signoff.evaluation.table import Limits, read_table

_OWN = {"y_pred": "champion_pred", "y_score": "champion_score"}


def has_champion(path: Path) -> bool:
    """Whether the predictions in `path` hold the champion's already."""
    return "champion_pred" in read_table(path, Limits()).column_names


def join_champion(candidate: Path, champion: Path, target: Path) -> str | None:
    """Write the candidate's predictions with the champion's beside them to `target`, which is a parquet file.

    Rows belong together in their order if `y_true` is equal in all of them, else by an `id` column that both have.
    Returns None, or in words why they do not belong together; then nothing is written.

    Raises:
        PredictionsError: one of the files cannot be read.
    """
    own, theirs = read_table(candidate, Limits()), read_table(champion, Limits())
    for table, name in ((own, "the candidate"), (theirs, "the champion")):
        missing = {"y_true", "y_pred"} - set(table.column_names)
        if missing:
            return f"the predictions of {name} have no column {min(missing)}"
    by_id = {"id"} <= set(own.column_names) & set(theirs.column_names)
    why = _difference(own, theirs)
    if by_id and (why is not None or not _texts(own["id"]).equals(_texts(theirs["id"]))):
        found = _by_id(own, theirs)
        if isinstance(found, str):
            return found
        theirs = found
        why = _difference(own, theirs)
    if why is not None:
        return why
    joined = own
    for column in theirs.column_names:
        stem = next((known for known in _OWN if column == known or column.startswith("y_score_")), None)
        if stem is not None:
            named = _OWN.get(column) or f"champion_score_{column.removeprefix('y_score_')}"
            joined = joined.append_column(named, theirs[column])
    pyarrow.parquet.write_table(joined, target)
    return None


def _by_id(own: pa.Table, theirs: pa.Table) -> pa.Table | str:
    """The champion's rows in the candidate's order, or why that cannot be."""
    ours, other = _texts(own["id"]), _texts(theirs["id"])
    for ids, whose in ((ours, "candidate"), (other, "champion")):
        if ids.null_count or pc.count_distinct(ids).as_py() < len(ids):
            return f"the column id of the {whose}'s predictions is not different in every row"
    places = pc.index_in(ours, value_set=other)
    if places.null_count:
        return f"{places.null_count:,} of {len(ours):,} rows have no row of the champion's with their id"
    return theirs.take(places)


def _difference(own: pa.Table, theirs: pa.Table) -> str | None:
    """Why the rows of the two are not the same ones in the same order; None where they are, as far as can be seen."""
    if len(own) != len(theirs):
        return f"the champion's predictions have {len(theirs):,} rows and the candidate's {len(own):,}"
    one, other = own["y_true"].combine_chunks(), theirs["y_true"].combine_chunks()
    if one.type != other.type:
        one, other = _texts(one), _texts(other)
    equal = pc.fill_null(pc.equal(one, other), fill_value=False)
    if pc.all(equal).as_py():
        return None
    row = pc.index(equal, value=False).as_py()
    return (
        f"y_true of row {row + 1} is {one[row].as_py()!r} for the candidate and {other[row].as_py()!r} for the champion"
    )


def _texts(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.cast(pa.string())
