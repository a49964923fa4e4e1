"""The smallest files of the format, exactly as people write them, and what their silence means."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from signoff.domain.errors import PipelineError
from signoff.domain.evidence import Severity
from signoff.domain.pipeline import (
    ApprovalStep,
    Check,
    Command,
    Concurrency,
    DeploymentStep,
    OnDeployFail,
    OnReject,
    OnTestFail,
    Pipeline,
    RuleSpec,
    TestStep,
    TrainingStep,
)
from signoff.spec import load_pipeline, read_pipeline

ONE_GATE = """\
steps:
  - name: manual_approval
    type: approval
    inputs:
      approvers: ['team_lead']
"""
TRAIN_AND_GATE = """\
steps:
  - name: train_model
    type: training
  - name: approve_model
    type: approval
    inputs:
      approvers: ['alice']
    on_reject: fail_pipeline
"""
WHOLE = """\
name: fraud-detection
model: fraud-detector
max_attempts: 5
concurrency: queue

steps:
  - name: train_model
    type: training
    inputs:
      run: python train.py --label 'last week'
      python: '3.12'
      params: {max_depth: 6, rate: 0.1, fast: true, label: no}
      runner: local
      timeout: 1h30m
      retries: 1

  - name: test_model
    type: test
    inputs:
      run: [python, evaluate.py, --rows, 1000]
      checks:
        - accuracy > 0.9
        - name: no worse than the champion
          that: auc >= champion.auc - 0.005
          severity: warn
          without_champion: fail
    on_fail: continue

  - name: approve_model
    type: approval
    inputs:
      rules:
        - {name: risk, approvers: ['group:risk'], required_approvals: 2}
        - {name: product, approvers: ['alice', 'bob']}
      auto_approve_if: accuracy > 0.9
      checklist: ['I read the slice table']
      allow_self_approval: true
    on_changes_requested: fail_pipeline

  - name: deploy_model
    type: deployment
    inputs:
      environment: production
    on_fail: fail_pipeline
"""


def read(text: str) -> Pipeline:
    reading = read_pipeline(text)
    assert reading.problems == ()
    assert reading.pipeline is not None
    return reading.pipeline


def test_the_smallest_file_is_one_gate() -> None:
    digest = f"sha256:{sha256(ONE_GATE.encode()).hexdigest()}"
    gate = ApprovalStep("manual_approval", (RuleSpec("manual_approval", ("team_lead",)),))
    assert read(ONE_GATE) == Pipeline("pipeline", digest, (gate,))


def test_a_training_step_may_say_nothing_but_its_name() -> None:
    training, gate = read(TRAIN_AND_GATE).steps
    assert training == TrainingStep("train_model")
    assert isinstance(gate, ApprovalStep)
    assert gate.on_reject is OnReject.FAIL_PIPELINE


def test_every_field_reaches_the_pipeline() -> None:
    pipeline = read(WHOLE)
    assert (pipeline.name, pipeline.model, pipeline.max_attempts) == ("fraud-detection", "fraud-detector", 5)
    assert pipeline.concurrency is Concurrency.QUEUE
    assert pipeline.steps == (
        TrainingStep(
            "train_model",
            Command(
                ("python", "train.py", "--label", "last week"),
                "3.12",
                {"max_depth": 6, "rate": 0.1, "fast": True, "label": "no"},
                timedelta(hours=1, minutes=30),
                1,
            ),
        ),
        TestStep(
            "test_model",
            Command(("python", "evaluate.py", "--rows", "1000")),
            (
                Check("accuracy > 0.9", "accuracy > 0.9"),
                Check("no worse than the champion", "auc >= champion.auc - 0.005", Severity.WARN, "fail"),
            ),
            OnTestFail.CONTINUE,
        ),
        ApprovalStep(
            "approve_model",
            (RuleSpec("risk", ("group:risk",), 2), RuleSpec("product", ("alice", "bob"))),
            "accuracy > 0.9",
            ("I read the slice table",),
            allow_self_approval=True,
            on_reject=OnReject.RETRAIN,
            on_changes_requested=OnReject.FAIL_PIPELINE,
        ),
        DeploymentStep("deploy_model", "production", OnDeployFail.FAIL_PIPELINE),
    )


@pytest.mark.parametrize(
    ("folder", "name"), [("fraud", "fraud"), ("my model (2)", "my model -2"), ("...", "pipeline"), (None, "pipeline")]
)
def test_a_pipeline_without_a_name_is_called_after_its_folder(folder: str | None, name: str) -> None:
    pipeline = read_pipeline(ONE_GATE, folder_name=folder).pipeline
    assert pipeline is not None
    assert pipeline.name == name


def test_a_reject_retrains_only_where_a_training_step_comes_before() -> None:
    with_training = read(TRAIN_AND_GATE.replace("    on_reject: fail_pipeline\n", ""))
    without = read(ONE_GATE)
    gates = [pipeline.steps[-1] for pipeline in (with_training, without)]
    assert [gate.on_reject for gate in gates if isinstance(gate, ApprovalStep)] == ["retrain", "fail_pipeline"]
    assert all(gate.on_changes_requested == "retrain" for gate in gates if isinstance(gate, ApprovalStep))


def test_the_digest_is_of_the_bytes_as_they_are() -> None:
    windows = ONE_GATE.replace("\n", "\r\n").encode()
    marked = b"\xef\xbb\xbf" + ONE_GATE.encode()
    for content in (windows, marked):
        pipeline = read_pipeline(content).pipeline
        assert pipeline is not None
        assert pipeline.digest == f"sha256:{sha256(content).hexdigest()}"


def test_loading_gives_the_pipeline_or_raises_with_every_problem() -> None:
    assert load_pipeline(ONE_GATE) == read(ONE_GATE)
    with pytest.raises(PipelineError) as caught:
        load_pipeline(ONE_GATE.replace("approval", "aproval").replace("['team_lead']", "bob"))
    assert len(caught.value.problems) == 2
    assert "2 errors" in caught.value.what
