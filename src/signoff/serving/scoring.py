"""MLflow's scoring protocol: its own functions, less one cast that most requests do not need.

Runs in the model server only. MLflow casts a frame column by column to the signature's types, which takes longer than
all the rest of a small request. Where the JSON values have these types already the cast changes nothing and is left
out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow.pyfunc import PyFuncModel, scoring_server
from mlflow.types import DataType, Schema

KINDS: Mapping[Any, type] = {
    DataType.double: float,
    DataType.long: int,
    DataType.boolean: bool,
    DataType.string: str,
}
"""The JSON values of which pandas makes exactly the column that MLflow would cast to."""
LARGEST_INTEGER = 2**63

score: Any = scoring_server.invocations
"""All of MLflow's handling of one request. (Without types.)"""


class Scoring:
    """Answers `/invocations` for one model."""

    def __init__(self, model: PyFuncModel) -> None:
        metadata: Any = model.metadata
        self._model = model
        self._schema: Schema | None = metadata.get_input_schema()
        self._kinds = _kinds(self._schema)

    def answer(self, body: bytes, content_type: str) -> Any:
        """MLflow's `InvocationsResponse` to one request.

        Raises:
            MlflowException: what MLflow refuses, with its own words and status.
        """
        if content_type.partition(";")[0].strip() != "application/json":
            return score(body, content_type, self._model, self._schema)
        try:
            request = json.loads(body)
        except ValueError:
            request = body
        if not isinstance(request, dict):
            return score(body, content_type, self._model, self._schema)
        schema = None if self._kinds and _needs_no_cast(request, self._kinds) else self._schema
        return score(request, content_type, self._model, schema)


def _kinds(schema: Schema | None) -> dict[str, type] | None:
    """The JSON type of every column; None when the signature has others than plain, named columns."""
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return None
    kinds = {str(one.name): KINDS.get(one.type) for one in schema.inputs}
    plain = {name: kind for name, kind in kinds.items() if kind is not None}
    return plain if len(plain) == len(kinds) else None


def _needs_no_cast(request: Mapping[str, Any], kinds: Mapping[str, type]) -> bool:
    """Whether every value of the frame in `request` has its column's JSON type already."""
    match request:
        case {"dataframe_split": {"columns": [*columns], "data": [*rows]}}:
            pass
        case {"dataframe_records": [dict() as first, *_] as records}:
            columns = list(first)
            if not all(isinstance(record, dict) and list(record) == columns for record in records):
                return False
            rows = [list(record.values()) for record in records]
        case _:
            return False
    if not rows or not all(isinstance(name, str) and name in kinds for name in columns):
        return False
    if len(set(columns)) < len(columns):
        return False
    wanted = [kinds[name] for name in columns]
    for row in rows:
        if not isinstance(row, list) or [*map(type, row)] != wanted:
            return False
    integers = [place for place, kind in enumerate(wanted) if kind is int]
    return all(-LARGEST_INTEGER <= row[place] < LARGEST_INTEGER for place in integers for row in rows)
