"""What people are shown first: every example and the template of `signoff init` reads, and its numbers are honest."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import signoff
from signoff.domain.pipeline import ApprovalStep, TestStep, TrainingStep
from signoff.spec import read_pipeline

ROOT = Path(__file__).parents[2]
TEMPLATE = Path(signoff.__file__).parent / "cli" / "template"
PROMOTION = ROOT / "examples" / "promotion"
FILES = [
    *sorted((ROOT / "examples").rglob("signoff.yaml")),
    PROMOTION / "staging.yaml",
    PROMOTION / "production.yaml",
    TEMPLATE / "signoff.yaml",
]


def as_init_writes(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("{person}", "alice")


def load_phishing_data() -> Any:
    spec = importlib.util.spec_from_file_location("phishing_data", ROOT / "examples" / "phishing" / "data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_examples_are_found() -> None:
    assert [path.parent.name for path in FILES] == [
        "auto-approve",
        "break-glass",
        "kserve",
        "mlflow",
        "phishing",
        "promotion",
        "sagemaker",
        "conditional",
        "manual-approval",
        "train-and-approve",
        "three-lines",
        "two-person-rule",
        "promotion",
        "promotion",
        "template",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_pipeline_that_is_shown_reads_without_a_complaint(path: Path) -> None:
    reading = read_pipeline(as_init_writes(path), folder_name=path.parent.name)

    assert list(reading.problems) == []
    assert reading.pipeline is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_script_that_a_shown_pipeline_runs_lies_beside_it(path: Path) -> None:
    pipeline = read_pipeline(as_init_writes(path), folder_name=path.parent.name).pipeline
    assert pipeline is not None

    commands = [step.command for step in pipeline.steps if isinstance(step, TrainingStep | TestStep) and step.command]

    missing = [command.argv[1] for command in commands if not (path.parent / command.argv[1]).is_file()]
    assert missing == []


def test_init_names_the_person_as_approver_of_their_own_model() -> None:
    pipeline = read_pipeline(as_init_writes(TEMPLATE / "signoff.yaml"), folder_name="first").pipeline
    assert pipeline is not None

    (gate,) = [step for step in pipeline.steps if isinstance(step, ApprovalStep)]

    assert [rule.approvers for rule in gate.rules] == [("alice",)]
    assert gate.allow_self_approval


def test_no_held_out_phishing_page_has_a_twin_among_those_learnt_from() -> None:
    data = load_phishing_data()

    learn, held_out = (rows.drop(columns=data.LABEL) for rows in data.load())

    assert not set(learn.itertuples(index=False, name=None)) & set(held_out.itertuples(index=False, name=None))
    assert len(learn) + len(held_out) == 1250
    assert len(held_out) == 416
