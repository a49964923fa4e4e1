"""``on: {model_version: ...}``: what it says, and what is wrong with one that cannot be."""

from __future__ import annotations

import pytest

from factories import CAST
from signoff.domain.actor import Directory
from signoff.domain.pipeline import Trigger
from signoff.spec import Known, read_pipeline

STEPS = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['bob']}}\n"


def test_a_trigger_names_a_model_and_who_may_register_versions_of_it() -> None:
    pipeline = read_pipeline("on: {model_version: fraud, made_by: ['alice', 'group:risk']}\n" + STEPS).pipeline
    assert pipeline is not None
    assert pipeline.on == Trigger("fraud", ("alice", "group:risk"))
    assert pipeline.copies_from is None


@pytest.mark.parametrize(("model", "copies"), [("fraud", None), ("fraud-prod", "fraud")])
def test_versions_are_copied_where_the_pipeline_is_about_another_model(model: str, copies: str | None) -> None:
    pipeline = read_pipeline(f"model: {model}\non: {{model_version: fraud}}\n{STEPS}").pipeline
    assert pipeline is not None
    assert pipeline.copies_from == copies


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("fraud", "on must be a mapping of keys to values, not a single string", ""),
        ("{}", "on has no model_version", "add model_version: and the registered model's name"),
        ("{made_by: ['alice']}", "on has no model_version", "add model_version: and the registered model's name"),
        ("{model: fraud}", "unknown key 'model' in on", "did you mean 'model_version'?"),
        (
            "{model_version: fraud/1}",
            "model_version 'fraud/1' cannot be used",
            "a registered model's name has no / and no :",
        ),
        (
            "{model_version: fraud, made_by: alice}",
            "made_by must be a list of people or groups, not a single string",
            "write ['alice']",
        ),
        ("{model_version: fraud, made_by: ['alice', 'alice']}", "'alice' comes twice in made_by", "take one out"),
    ],
)
def test_a_trigger_that_cannot_be(value: str, message: str, hint: str) -> None:
    reading = read_pipeline(f"on: {value}\n{STEPS}")
    assert reading.pipeline is None
    assert [(p.message, p.hint) for p in reading.errors] == [(message, hint)]


def test_makers_whom_the_server_does_not_know_are_refused_where_they_stand() -> None:
    known = Known(Directory.of(CAST))
    text = f"on:\n  model_version: fraud\n  made_by: ['alice', 'zoe', 'group:ghosts']\n{STEPS}"
    problems = [(p.line, p.column, p.message) for p in read_pipeline(text, context=known).errors]
    assert problems == [
        (3, 22, "the server does not know zoe"),
        (3, 29, "the server does not know group ghosts"),
    ]
