"""The JSON Schema says what the reader says, wherever a schema can."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from signoff.spec import read_pipeline
from signoff.spec.schema import pipeline_schema

SCHEMA = pipeline_schema()
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KEYWORDS = {
    "$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties",
    "items", "minItems", "maxItems", "uniqueItems", "minLength", "minimum", "maximum", "pattern", "propertyNames",
    "exclusiveMinimum", "exclusiveMaximum",
    "enum", "const", "not", "allOf", "anyOf", "oneOf", "if", "then",
}  # fmt: skip


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether `value` is valid: the keywords of JSON Schema that ours uses, and no others."""
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    if "$ref" in schema:
        return accepts(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], value)
    checks = [
        "type" not in schema or has_type(schema["type"], value),
        "enum" not in schema or value in schema["enum"],
        "const" not in schema or value == schema["const"],
        "not" not in schema or not accepts(schema["not"], value),
        all(accepts(part, value) for part in schema.get("allOf", ())),
        "anyOf" not in schema or any(accepts(part, value) for part in schema["anyOf"]),
        "oneOf" not in schema or sum(accepts(part, value) for part in schema["oneOf"]) == 1,
        "if" not in schema or not accepts(schema["if"], value) or accepts(schema["then"], value),
    ]
    if isinstance(value, str):
        checks += [len(value) >= schema.get("minLength", 0), re.search(schema.get("pattern", ""), value) is not None]
    if isinstance(value, int | float):
        checks += [schema.get("minimum", value) <= value <= schema.get("maximum", value)]
        checks += [schema.get("exclusiveMinimum", value - 1) < value < schema.get("exclusiveMaximum", value + 1)]
    if isinstance(value, list):
        checks += [schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))]
        checks += [not schema.get("uniqueItems") or len({str(item) for item in value}) == len(value)]
        checks += [accepts(schema.get("items", {}), item) for item in value]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", {})
        checks += [key in value for key in schema.get("required", ())]
        checks += [accepts(schema.get("propertyNames", {}), key) for key in value]
        checks += [
            accepts(known[key], item) if key in known else rest is not False and accepts(rest, item)
            for key, item in value.items()
        ]
    return all(checks)


def has_type(types: str | list[str], value: Any) -> bool:
    names = [types] if isinstance(types, str) else types
    return any(isinstance(value, TYPES[n]) and (n == "boolean" or not isinstance(value, bool)) for n in names)


def agrees(text: str) -> bool:
    """What schema and reader say about `text`, which must be the same."""
    is_read = read_pipeline(text).pipeline is not None
    assert accepts(SCHEMA, yaml.safe_load(text)) == is_read
    return is_read


def gate(inputs: str, beside: str = "") -> str:
    return f"steps: [{{name: a, type: approval, inputs: {{{inputs}}}{beside}}}]"


def step(kind: str, inputs: str, beside: str = "") -> str:
    return f"steps: [{{name: a, type: {kind}, inputs: {{{inputs}}}{beside}}}]"


@pytest.mark.parametrize(
    "text",
    [
        gate("approvers: [team_lead]"),
        gate("approvers: [alice, 'group:risk'], required_approvals: 2, auto_approve_if: a > 1, checklist: [x]"),
        gate("rules: [{name: risk, approvers: ['group:risk'], required_approvals: 2}], allow_self_approval: true"),
        gate("approvers: [bob]", ", on_reject: retrain, on_changes_requested: fail_pipeline"),
        gate("approvers: [bob], timeout: 72h"),
        gate("approvers: [bob], timeout: 72h, on_timeout: expire, remind_every: 24h, valid_for: 90d"),
        gate("approvers: [bob], timeout: 3d12h, on_timeout: escalate, escalate_to: ['group:leads', erik]"),
        gate("approvers: [bob], remind_every: 1d, valid_for: 1d"),
        "name: x\nmodel: y\nmax_attempts: 5\nconcurrency: supersede\nsteps: [{name: a, type: training}]",
        step(
            "training", "run: python train.py, params: {a: 1, b: x, c: true}, timeout: 1h30m, retries: 2, runner: local"
        ),
        step(
            "test",
            "run: [python, x.py, 3], checks: [a > 1, {name: b, that: b > 2, severity: warn}]",
            ", on_fail: retrain",
        ),
        step(
            "test",
            "run: x, task: binary, compare: champion, slices: [a, [a, b]], sensitive: [a], correct: true",
        ),
        step("test", "run: x, checks: [{that: a > 1, confidence: 0.99, on_uncertain: fail, for_each: country}]"),
        step("test", "checks: [{that: a > 1, confidence: 0.8, on_uncertain: pass}]"),
        step("deployment", "environment: local", ", on_fail: rollback"),
    ],
)
def test_a_file_that_reads_is_valid(text: str) -> None:
    assert agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1",
        "steps: []",
        "steps: [{name: a}]",
        "steps: [{type: training}]",
        "steps: [{name: a, type: trainig}]",
        "steps: [{name: a, type: approval}]",
        "steps: [{name: a, type: training}]\nconcurrency: sometimes",
        "steps: [{name: a, type: training}]\nnotify: []",
        "steps: [{name: a, type: training}]\nmax_attempts: 0",
        "steps: [{name: 'a b', type: training}]",
        gate("approvers: bob"),
        gate("users: [bob]"),
        gate("approvers: [bob, bob]"),
        gate("approvers: [bob], rules: [{name: a, approvers: [carol]}]"),
        gate("approvers: [bob], required_approvals: 0"),
        gate("approvers: [bob], timeout: soon"),
        gate("approvers: [bob], on_timeout: expire"),
        gate("approvers: [bob], escalate_to: [carol]"),
        gate("approvers: [bob], timeout: 72h, on_timeout: escalate"),
        gate("approvers: [bob], timeout: 72h, escalate_to: [carol]"),
        gate("approvers: [bob], on_timeout: escalate, escalate_to: [carol]"),
        gate("approvers: [bob], timeout: 72h, on_timeout: wait"),
        gate("approvers: [bob], step_up: password"),
        gate("approvers: [bob]", ", on_reject: stop"),
        gate("approvers: ['group risk']"),
        step("training", "run: x, runner: ray"),
        step("training", "run: x, params: {2x: 1}"),
        step("training", "run: x, timeout: soon"),
        step("test", "checks: [{name: x}]"),
        step("test", "checks: [{that: a > 1, confidence: 1}]"),
        step("test", "checks: [{that: a > 1, confidence: 0}]"),
        step("test", "checks: [{that: a > 1, on_uncertain: maybe}]"),
        step("test", "slices: [country]"),
        step("test", "correct: false"),
        step("test", "run: x, slices: [country, country]"),
        step("test", "run: x, slices: [[a, b, c]]"),
        step("test", "run: x, slices: [[a, a]]"),
        step("test", "run: x, slices: country"),
        step("test", "run: x, sensitive: []"),
        step("test", "run: x, compare: baseline"),
        step("test", "run: x, task: classification"),
        step("test", "run: x, correct: holm"),
        step("deployment", "environment: local", ", on_reject: retrain"),
    ],
)
def test_a_file_that_does_not_read_is_not_valid(text: str) -> None:
    assert not agrees(text)


def test_the_schema_names_its_edition_and_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA))["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "# yaml-language-server: $schema=" in SCHEMA["description"]


def test_every_field_of_the_schema_is_described() -> None:
    def bare(schema: dict[str, Any], path: str) -> list[str]:
        found = []
        for name, field in schema.get("properties", {}).items():
            target = SCHEMA["$defs"][field["$ref"].removeprefix("#/$defs/")] if "$ref" in field else field
            if "description" not in target and "const" not in target and "properties" not in target and name != "type":
                found.append(f"{path}.{name}")
            found += bare(target, f"{path}.{name}")
        return found

    assert [one for name, part in {"top": SCHEMA, **SCHEMA["$defs"]}.items() for one in bare(part, name)] == []
