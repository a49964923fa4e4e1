"""What a test step says beyond its command: the checks, and how its predictions are to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from signoff.domain.evidence import Severity, Task
from signoff.domain.expression import Expression
from signoff.domain.pipeline import Check, OnUncertain
from signoff.spec.fields import Fields, kind_of
from signoff.spec.problem import Place, said
from signoff.spec.tree import Items, Node, Scalar, Table

PREDICTIONS = ("task", "compare", "slices", "sensitive", "correct")
"""What a test step may say about its predictions; each needs a command that makes some."""
MOST_SLICES = 50
MOST_SENSITIVE = 20
MOST_COLUMNS = 2

_EXAMPLE = "write slices: [region, [region, age]]"
_CHECK_MISTAKES = {
    **dict.fromkeys(("expression", "check", "condition", "if"), "that"),
    **dict.fromkeys(("certainty", "sure", "confidence_level"), "confidence"),
    **dict.fromkeys(("if_uncertain", "uncertain"), "on_uncertain"),
    **dict.fromkeys(("slice", "per", "by", "foreach", "each"), "for_each"),
    "level": "severity",
}

ReadExpression = Callable[[Node, str], Expression | None]


class Wishes(NamedTuple):
    """How a step's predictions are to be looked at."""

    task: Task | None
    compare: bool
    slices: tuple[tuple[str, ...], ...]
    sensitive: tuple[str, ...]
    correct: bool


class ReadCheck(NamedTuple):
    """One check. `people` is where it says that people decide what is uncertain; `for_each` where it names a column."""

    check: Check
    people: Place | None
    for_each: Place | None


def read_wishes(inputs: Fields) -> Wishes:
    """The fields of `PREDICTIONS`, each at its default where it is missing or could not be read."""
    task = inputs.word("task", [str(task) for task in Task])
    compare = inputs.word("compare", ["champion"])
    slices = _read_slices(inputs)
    sensitive = inputs.texts("sensitive", "a list of columns", most=MOST_SENSITIVE)
    correct = inputs.flag("correct", default=False)
    if "run" not in inputs:
        for key in PREDICTIONS:
            entry = inputs.table.entries.get(key)
            if entry is not None:
                _needs_run(inputs, key, entry.key.place)
    return Wishes(None if task is None else Task(task), compare is not None, slices, sensitive, correct)


def _needs_run(inputs: Fields, key: str, place: Place) -> None:
    message = f"{key} means nothing without run"
    inputs.problems.error(place, message, "add run: python evaluate.py, or take it out")


def _read_slices(inputs: Fields) -> tuple[tuple[str, ...], ...]:
    """The columns, and pairs of columns, whose rows are looked at by themselves."""
    found: list[tuple[str, ...]] = []
    for node in inputs.items("slices", "a list of columns", _EXAMPLE, most=MOST_SLICES) or ():
        columns = _columns(inputs, node)
        if columns is None:
            continue
        if any(set(columns) == set(other) for other in found):
            inputs.error(node, f"{said(', '.join(columns))} comes twice in slices", "take one out", code="duplicate")
            continue
        found.append(columns)
    return tuple(found)


def _columns(inputs: Fields, node: Node) -> tuple[str, ...] | None:
    """One column, or a pair."""
    if not isinstance(node, Items):
        text = inputs.as_text(node, "each of slices")
        return None if text is None else (text,)
    columns = [inputs.as_text(item, "each column of a pair") for item in node.items]
    if len(columns) != MOST_COLUMNS:
        message = f"a slice has one column or a pair of columns, not {len(columns)}"
        inputs.error(node, message, _EXAMPLE)
        return None
    first, second = columns
    if first is None or second is None:
        return None
    if first == second:
        inputs.error(node, f"a pair has two different columns, not {said(first)} twice", _EXAMPLE)
        return None
    return first, second


def read_checks(inputs: Fields, read_expression: ReadExpression) -> tuple[ReadCheck, ...]:
    """The checks under `checks`; those that could not be read are left out."""
    checks: dict[str, ReadCheck] = {}
    for node in inputs.items("checks", "a list of conditions", "write - accuracy > 0.9") or ():
        read = _read_check(inputs, node, read_expression)
        if read is None:
            continue
        if read.check.name in checks:
            message = f"two checks are called {said(read.check.name)}"
            inputs.error(node, message, "take one out, or give each a name", code="duplicate")
            continue
        checks[read.check.name] = read
        if read.for_each is not None and "run" not in inputs:
            _needs_run(inputs, "for_each", read.for_each)
    return tuple(checks.values())


def _read_check(inputs: Fields, node: Node, read_expression: ReadExpression) -> ReadCheck | None:
    if isinstance(node, Scalar):
        expression = read_expression(node, "a check")
        return None if expression is None else ReadCheck(Check(expression.text, expression.text), None, None)
    if not isinstance(node, Table):
        message = f"each check must be a condition or a mapping, not {kind_of(node)}"
        inputs.error(node, message, "write accuracy > 0.9", code="type")
        return None
    fields = Fields(node, "a check", inputs.problems)
    name = fields.text("name")
    that = fields.filled("that")
    expression = None if that is None else read_expression(that, "that")
    severity = fields.choice("severity", Severity, default=Severity.FAIL)
    without = fields.word("without_champion", ["pass", "fail"])
    confidence = fields.fraction("confidence")
    on_uncertain = fields.choice("on_uncertain", OnUncertain, default=OnUncertain.PEOPLE)
    for_each = fields.text("for_each")
    fields.close(_CHECK_MISTAKES)
    fields.require("that", "add that: accuracy > 0.9")
    if expression is None:
        return None
    check = Check(
        name or (f"{expression.text} for each {for_each}" if for_each is not None else expression.text),
        expression.text,
        severity,
        "fail" if without == "fail" else "pass",
        0.95 if confidence is None else confidence,
        on_uncertain,
        for_each,
    )
    people = _value(fields.table.entries, "on_uncertain") if on_uncertain is OnUncertain.PEOPLE else None
    return ReadCheck(check, people, _value(fields.table.entries, "for_each") if for_each is not None else None)


def _value(entries: Mapping[str, object], key: str) -> Place | None:
    entry = entries.get(key)
    place = getattr(getattr(entry, "value", None), "place", None)
    return place if isinstance(place, Place) else None
