"""A registered pipeline in a real stack: the command line registers it, a webhook wakes it, the worker runs it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from real_stack import Stack, running
from trigger_scene import event_of

SECRET = "shared-by-both-sides"
PIPELINE = """\
name: fraud
on: {model_version: fraud-dev}
steps:
  - name: evaluate
    type: test
    inputs: {run: python evaluate.py, checks: [accuracy > 0.9]}
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
"""
EVALUATE = """\
import json, os, pathlib
score = json.loads((pathlib.Path(os.environ["SIGNOFF_MODEL_PATH"]) / "weights.json").read_text())["accuracy"]
(pathlib.Path(os.environ["SIGNOFF_OUTPUT"]) / "metrics.json").write_text(json.dumps({"accuracy": score}))
"""


def test_a_registered_version_is_evaluated_by_the_registered_folder_and_waits_for_people(tmp_path: Path) -> None:
    (tmp_path / "signoff.yaml").write_text(PIPELINE)
    (tmp_path / "evaluate.py").write_text(EVALUATE)
    with running(SIGNOFF_MLFLOW_WEBHOOK_SECRET=SECRET) as stack:
        added = stack.command("pipeline", "add", str(tmp_path / "signoff.yaml"), who="alice")
        assert "fraud starts with each new version of fraud-dev: the first is the next" in added
        register(stack, tmp_path / "model", accuracy=0.95)
        assert hook(stack, "guessed").status_code == 401
        assert hook(stack, SECRET).json() == {"pipeline": "fraud"}
        until(lambda: shown(stack)["starts"] != [])
        run_id = shown(stack)["starts"][0]["run"]
        until(lambda: json.loads(stack.command("show", run_id, "--json", who="bob"))["status"] == "waiting")
        assert f"v1: run {run_id}" in stack.command("pipeline", "list", who="dave")
        stack.command("pipeline", "remove", "fraud", who="alice")
        assert "No registered pipelines" in stack.command("pipeline", "list", who="dave")


def register(stack: Stack, folder: Path, *, accuracy: float) -> None:
    """What an ordinary script does, in the stack's own MLflow."""
    from mlflow import MlflowClient

    folder.mkdir()
    (folder / "weights.json").write_text(json.dumps({"accuracy": accuracy}))
    uri = f"sqlite:///{stack.home}/mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SQLAlchemy, about MLflow
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        run = client.create_run("0")
        client.log_artifacts(run.info.run_id, str(folder), "model")
        client.create_registered_model("fraud-dev")
        client.create_model_version("fraud-dev", f"{run.info.artifact_uri}/model", run.info.run_id)


def hook(stack: Stack, secret: str) -> httpx2.Response:
    body, sent = json.dumps(event_of("fraud-dev")).encode(), str(int(time.time()))
    signed = hmac.new(secret.encode(), f"d-1.{sent}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "X-MLflow-Delivery-Id": "d-1",
        "X-MLflow-Timestamp": sent,
        "X-MLflow-Signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    return httpx2.post(f"{stack.url}/api/v1/hooks/mlflow", content=body, headers=headers, timeout=30)


def shown(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.command("pipeline", "show", "fraud", "--json", who="dave"))
    return found


def until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.3)
