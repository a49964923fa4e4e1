"""Documents that cost more than they weigh: YAML and JSON, deep, wide, aliased, endless. Refused in a moment."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time

import pytest

from house import House
from signoff.domain.errors import MachineryError
from signoff.engine.outputs import read_junit

DEEP = 100_000
LAUGHS = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(12)
)
YAML = {
    "laughs": LAUGHS,
    "itself": "a: &a [*a]\nsteps: *a\n",
    "merge": "x: &x {a: 1}\nsteps:\n  - <<: *x\n",
    "deep list": "[" * DEEP,
    "deep map": "{a: " * DEEP,
    "tag": "steps: !!python/object/apply:os.system ['id']\n",
    "tag of a name": "!!python/name:os.system\n",
    "documents": "---\n" * 50_000,
    "number": "steps: " + "9" * 100_000,
    "float": "steps: 1e999999999",
    "keys": "".join(f"k{n}: 1\n" for n in range(30_000)),
    "one key": "".join("steps: 1\n" for _ in range(20_000)),
    "anchors": "&a " * 80_000,
    "expression": "steps:\n  - name: t\n    type: test\n    inputs: {run: x, checks: ['" + "(" * 50_000 + "']}\n",
    "power": "steps:\n  - {name: t, type: test, inputs: {run: x, checks: ['a > 9**9**9**9**9']}}\n",
}
JSON = {
    "deep list": "[" * DEEP,
    "deep object": '{"a":' * DEEP,
    "deep and closed": "[" * DEEP + "]" * DEEP,
    "number": "9" * 200_000,
    "float": "1e999999",
    "not a number": '{"pipeline": NaN}',
    "keys": json.dumps({f"k{n}": n for n in range(20_000)}),
    "one key": "{" + ", ".join('"pipeline": ""' for _ in range(50_000)) + "}",
    "surrogate": '{"pipeline": "\\ud800"}',
    "nul": '{"pipeline": "\\u0000"}',
    "bom": "\ufeff\ufeff{}",
    "half": '{"pipeline": "',
    "nothing": "",
    "null": "null",
    "list": "[]",
    "text": '"x"',
}
SECONDS = 2.0


@pytest.mark.parametrize("name", YAML)
def test_a_yaml_bomb_is_told_what_is_wrong_with_it_in_a_moment(house: House, name: str) -> None:
    for who, method, path, body in (
        ("dave", "POST", "/pipelines/validate", {"pipeline": YAML[name]}),
        ("alice", "POST", "/runs", {"pipeline": YAML[name], "model": "models:/m/1"}),
        ("dave", "POST", "/policy/replay", {"pipeline": YAML[name]}),
        ("erin", "PUT", "/environments", {"document": YAML[name]}),
    ):
        caller = house.as_(who)
        with house.unchanged():
            began = process_time()
            answer = caller.ask(method, path, json=body)
            assert process_time() - began < SECONDS
        if path == "/pipelines/validate":
            assert answer.status_code == 422 or answer.json()["is_valid"] is False
            assert len(answer.content) < 300_000
        else:
            assert answer.status_code == 422, answer.text[:300]


@pytest.mark.parametrize("name", JSON)
def test_a_json_bomb_is_refused_in_a_moment(house: House, name: str) -> None:
    content, headers = JSON[name].encode("utf-8"), {"Content-Type": "application/json"}
    paths = {"/runs": "alice", "/pipelines/validate": "dave", "/users": "erin", "/me/notifications": "dave"}
    for path, who in paths.items():
        caller = house.as_(who)
        method = "PUT" if path.startswith("/me") else "POST"
        with house.unchanged():
            began = process_time()
            answer = caller.ask(method, path, content=content, headers=headers)
            assert process_time() - began < SECONDS
        is_told = path == "/pipelines/validate" and answer.status_code == 200
        assert is_told or answer.status_code in {400, 422}, (path, answer.status_code, answer.text[:300])
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 50_000


def test_nested_values_where_anything_may_stand_are_refused(house: House) -> None:
    deep: object = "x"
    for _ in range(400):
        deep = [deep]
    reference = house.version()
    for body in (
        {"pipeline": "steps: []", "model": reference, "metrics": {"a": deep}},
        {"pipeline": "steps: []", "model": reference, "metrics": {"a": float(2**1023), "b": 2**5000}},
    ):
        answer = house.as_("alice").post("/runs", body)
        assert answer.status_code == 422
    answer = house.as_("erin").ask("PUT", "/environments/production", json={"environment": {"rules": deep}})
    assert answer.status_code == 422


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "x" * 300])
def test_what_says_it_is_no_json_is_not_read_as_json(house: House, kind: str) -> None:
    with house.unchanged():
        answer = house.as_("erin").ask(
            "POST", "/users", content=b'{"name": "eve", "roles": ["admin"]}', headers={"Content-Type": kind}
        )
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_test_report_declares_no_entities_however_it_is_written(tmp_path: Path, encoding: str) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(9))
    text = f'<?xml version="1.0" encoding="{encoding[:6]}"?><!DOCTYPE t [{laughs}]><testcase name="&l8;"/>'
    (tmp_path / "junit.xml").write_bytes(text.encode(encoding))
    with pytest.raises(MachineryError, match="refused"):
        read_junit(tmp_path)
