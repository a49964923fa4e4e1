"""What the words of a YAML file mean, and that no text whatever gets past the reader other than as an answer."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import timedelta
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signoff.spec import read_environments, read_people, read_pipeline
from signoff.spec.duration import parse_duration
from signoff.spec.problem import Place, Problem, Problems
from signoff.spec.scalar import Value, resolve
from signoff.spec.tree import Items, Scalar, Table, decode, grow

GATE = "steps:\n  - {name: approve_model, type: approval, inputs: {approvers: [bob]}}\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"), ("True", True), ("false", False),
        ("tRUE", "tRUE"), ("", None), ("~", None), ("null", None), ("NULL", None), ("nULL", "nULL"),
        ("012", 12), ("0o14", 12), ("0x1F", 31), ("+7", 7), ("-3", -3), ("1_000", "1_000"), ("0b11", "0b11"),
        ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0),
        ("-.inf", -math.inf), (".INF", math.inf), ("inf", "inf"), ("nan", "nan"), ("-", "-"), ("1e", "1e"),
        ("=", "="), ("<<", "<<"),
    ],
)  # fmt: skip
def test_words_mean_what_yaml_1_2_says(text: str, value: Value) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(float(resolve(".nan") or 0))


def test_quotes_make_texts() -> None:
    tree = grow("a: ['1', \"true\", '', 1]", Problems("x", "a: ['1', \"true\", '', 1]"))
    assert isinstance(tree, Table)
    items = tree.entries["a"].value
    assert isinstance(items, Items)
    assert [item.value for item in items.items if isinstance(item, Scalar)] == ["1", "true", "", 1]


def test_every_node_knows_its_place() -> None:
    text = "a:\n  - bob\n  - [x, yy]\n"
    tree = grow(text, Problems("x", text))
    assert isinstance(tree, Table)
    items = tree.entries["a"].value
    assert tree.entries["a"].key.place == Place(1, 1, 1)
    assert [item.place for item in items.items] == [Place(2, 5, 3), Place(3, 5, 7)]


def test_a_word_of_another_yaml_stays_a_word_in_a_pipeline() -> None:
    reading = read_pipeline("name: on\n" + GATE)
    assert reading.pipeline is not None
    assert reading.pipeline.name == "on"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 262_144,
        "{" * 262_144,
        "- " * 131_072,
        "? " * 131_072,
        '"' + "a" * 200_000,
        "a: &a [x, x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a, *a]\n" for n in range(8000)),
        "\x01" * 262_000,
        "&a " * 80_000,
        "x" * 1_000_000,
    ],
)
def test_hostile_files_are_refused_before_they_cost_anything(text: str) -> None:
    read_pipeline(GATE)
    start = process_time()
    reading = read_pipeline(text)
    assert process_time() - start < 0.25
    assert reading.pipeline is None
    assert 0 < len(reading.problems) <= 101


def test_a_thousand_steps_are_read_at_once() -> None:
    head = "  - name: gate_{n}\n    type: approval\n    inputs:\n"
    step = head + "      approvers: ['alice']\n      auto_approve_if: a > 0.{n}\n"
    text = "steps:\n" + "".join(step.format(n=n) for n in range(1000))
    start = process_time()
    reading = read_pipeline(text)
    assert process_time() - start < 0.5
    assert reading.pipeline is not None
    assert len(reading.pipeline.steps) == 1000


def test_past_a_hundred_problems_the_rest_is_counted() -> None:
    problems = read_pipeline("\n".join(f"key_{n}: 1" for n in range(150))).problems
    assert len(problems) == 101
    assert problems[-1].message == "and 51 more problems like these"


PIECES = st.sampled_from(
    ["steps:", "\n", "  ", "- ", "name: a", "type: approval", "inputs: {", "}", "[", "]", "approvers: ", "'", '"', "&a",
     "*a", "!!x ", "|", ">", "\t", "#", ": ", "run: x", "checks: [a > 1]", "on_fail: ", "rules: [{", "\r", "\\", "---",
     "people: [{name: ", "environments: {", "deployer: {type: "]
)  # fmt: skip


@given(st.one_of(st.text(), st.binary(), st.lists(PIECES).map("".join)))
@example("\ud800")
@example("? [a]\n: b")
@example("%YAML 3.0\n---\na")
@example("steps: [[[]]]")
def test_no_text_whatever_makes_a_reader_raise(text: str | bytes) -> None:
    reading = read_pipeline(text)
    assert (reading.pipeline is None) == any(problem.is_error for problem in reading.problems)
    for value, problems in (read_people(text), read_environments(text)):
        assert (value is None) == any(problem.is_error for problem in problems)
    for problem in reading.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert len(problem.text().splitlines()) <= 3


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=8
    )
)
def test_any_value_in_any_field_is_answered(value: object) -> None:
    shown = json.dumps(value)
    for key in ("approvers", "required_approvals", "rules", "auto_approve_if", "checklist", "timeout", "escalate_to"):
        read_pipeline(f"steps: [{{name: a, type: approval, inputs: {{{key}: {shown}}}}}]")
    for key in ("run", "params", "checks", "retries", "python", "slices", "runner"):
        read_pipeline(f"steps: [{{name: {shown}, type: test, inputs: {{{key}: {shown}}}, on_fail: {shown}}}]")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, signoff.spec; print(sorted({'yaml', 'pydantic'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: > b", "text after | or > on its line"),
        ("% a", "a line that starts with % is not taken"),
        ("a: !b", "tags (!b) are not taken"),
    ],
)
def test_errors_of_yaml_come_in_plain_words(text: str, message: str) -> None:
    assert message in [problem.message for problem in read_pipeline(text).problems]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("2h", 7200), ("90d", 7_776_000), ("1h30m", 5400), ("1d2h3m4s", 93784)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "1m1h", "-5m", "1.5h", "5 m", "0s", "4000d", "999999999999s", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|ten years"):
        parse_duration(text)


def test_a_caret_stands_under_its_word_whatever_comes_before() -> None:
    wide = Problem("f", 1, 5, 2, "m", source="日本: ab")
    assert wide.text().splitlines()[2] == "      | " + " " * 6 + "^^"


def test_a_long_line_is_shown_around_the_caret() -> None:
    problem = read_pipeline("name: [" + "a, " * 300 + "]\ncolour: 1\n" + GATE).problems[0]
    assert all(len(line) < 200 for line in problem.text().splitlines())


def test_nothing_that_a_terminal_obeys_is_shown() -> None:
    content, problems = decode(b"\x1b[31mred: 1", "signoff.yaml")
    assert content is None
    assert "\x1b" not in problems.sorted()[0].text()
    assert "\x1b" not in read_pipeline('steps: [{"\\e[31m": 1}]').problems[0].text()


def test_a_problem_as_json_says_everything() -> None:
    (problem,) = read_pipeline(GATE.replace("approvers: [bob]", "approvers: bob")).problems
    assert problem.as_json() == {
        "file": "signoff.yaml", "line": 2, "column": 63, "length": 3, "severity": "error", "code": "type",
        "message": "approvers must be a list of people or groups, not a single string", "hint": "write ['bob']",
        "source": "  - {name: approve_model, type: approval, inputs: {approvers: bob}}",
    }  # fmt: skip
