"""Leaving out a cast that changes nothing changes nothing: the same answers, types and refusals as MLflow's server."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signoff.serving.load import load_verified
from tiny_models import release_of, write_model

COLUMNS = {"amount": "double", "count": "long", "is_new": "boolean", "country": "string"}
ROW = [1.5, 3, True, "PT"]
FIRST = dict(zip(COLUMNS, ROW, strict=True))
SAYS_WHAT_IT_GOT = "return [[str(frame.dtypes.to_dict()), str(frame.to_dict())]]"
VALUES = st.one_of(
    st.floats(allow_nan=False),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.just([1]),
)


class Both:
    """The same model behind our scoring and behind MLflow's own."""

    def __init__(self, folder: Path) -> None:
        from mlflow.pyfunc import scoring_server

        from signoff.serving import scoring

        columns = [{"type": kind, "name": name, "required": name != "country"} for name, kind in COLUMNS.items()]
        path = write_model(folder / "says", predict=SAYS_WHAT_IT_GOT, inputs=json.dumps(columns))
        model: Any = load_verified(path, release_of(path, "1").version.digest)
        schema = model.metadata.get_input_schema()
        theirs: Any = scoring_server.invocations
        mine = scoring.Scoring(model)
        self.kinds = mine._kinds
        self._ask: dict[str, Any] = {
            "ours": mine.answer,
            "theirs": lambda body, kind: theirs(body, kind, model, schema),
        }

    def answer(self, whose: str, body: bytes, content_type: str = "application/json") -> object:
        try:
            return self._ask[whose](body, content_type)
        except Exception as error:  # noqa: BLE001  (whatever it is, both must say the same)
            return type(error), str(error)

    def agree_on(self, request: Any) -> None:
        body = json.dumps(request).encode()
        assert self.answer("ours", body) == self.answer("theirs", body)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's and pandas' own; the model server's log has them
        yield Both(tmp_path_factory.mktemp("scoring"))


pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    "request_",
    [
        {"dataframe_split": {"columns": list(COLUMNS), "data": [ROW, ROW]}},
        {"dataframe_split": {"columns": list(COLUMNS), "index": [7], "data": [ROW]}},
        {"dataframe_split": {"columns": list(COLUMNS), "index": [7, 8], "data": [ROW]}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": []}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [ROW[:3]]}},
        {"dataframe_split": {"columns": list(COLUMNS)[:3], "data": [ROW[:3]]}},
        {"dataframe_split": {"columns": [*COLUMNS, "more"], "data": [[*ROW, 1]]}},
        {"dataframe_split": {"columns": [*COLUMNS, "amount"], "data": [[*ROW, 1.0]]}},
        {"dataframe_split": {"data": [ROW]}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [FIRST]}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [[1, 3, True, "PT"], ROW]}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [[1.5, 3.5, True, "PT"]]}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [[1.5, 2**63, True, "PT"]]}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [[None, 3, True, None]]}},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [ROW], "colour": 1}},
        {"dataframe_split": [ROW]},
        {"dataframe_records": [FIRST, FIRST]},
        {"dataframe_records": [FIRST, dict(reversed(FIRST.items()))]},
        {"dataframe_records": [FIRST, {"amount": 1.5}]},
        {"dataframe_records": [FIRST, 3]},
        {"dataframe_records": []},
        {"dataframe_records": FIRST},
        {"dataframe_records": [FIRST], "params": {"threshold": 1}},
        {"dataframe_records": [FIRST], "inputs": FIRST},
        {"instances": [FIRST]},
        {"inputs": {name: [value] for name, value in FIRST.items()}},
        {"rows": 3},
        {},
        [1],
        3,
    ],
    ids=json.dumps,
)
def test_every_request_is_answered_as_mlflow_answers_it(both: Both, request_: Any) -> None:
    both.agree_on(request_)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=1, max_size=3), are_records=st.booleans())
def test_values_of_any_type_arrive_as_they_would_through_mlflow(
    both: Both, rows: list[list[Any]], *, are_records: bool
) -> None:
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    split = {"columns": list(COLUMNS), "data": rows}
    both.agree_on({"dataframe_records": records} if are_records else {"dataframe_split": split})


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"x"', b'{"dataframe_records": NaN}'])
def test_what_is_no_json_is_refused_as_mlflow_refuses_it(both: Both, body: bytes) -> None:
    assert both.answer("ours", body) == both.answer("theirs", body)


@pytest.mark.parametrize("kind", ["text/csv", "application/json; charset=latin-1", "text/plain", ""])
def test_other_content_types_are_mlflows_business(both: Both, kind: str) -> None:
    body = b"amount,count,is_new,country\n1.5,3,True,PT\n"
    assert both.answer("ours", body, kind) == both.answer("theirs", body, kind)


def test_the_cast_is_left_out_only_for_values_of_the_columns_own_types(both: Both) -> None:
    from signoff.serving.scoring import _needs_no_cast

    assert both.kinds == {"amount": float, "count": int, "is_new": bool, "country": str}
    assert _needs_no_cast({"dataframe_records": [FIRST]}, both.kinds)
    assert _needs_no_cast({"dataframe_split": {"columns": list(COLUMNS), "data": [ROW]}}, both.kinds)
    for other in ({"amount": 1}, {"count": True}, {"count": 2**63}, {"country": None}):
        assert not _needs_no_cast({"dataframe_records": [FIRST, FIRST | other]}, both.kinds)
