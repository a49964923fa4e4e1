"""A pipeline that trains and tests by commands that are functions here, and what they saw."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from house import House, made
from signoff.ports import Log, Task

TRAINS = """\
model: fraud-detector
max_attempts: 2
steps:
  - name: train
    type: training
    inputs: {run: train --fast, params: {max_depth: 6, shuffle: true}}
  - name: test
    type: test
    inputs:
      run: evaluate
      checks: ['accuracy > 0.9']
    on_fail: retrain
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
    on_reject: retrain
"""


class Script:
    """A training and a test command: the training leaves a model, the test the next of `accuracies`."""

    def __init__(self, house: House, *accuracies: Any) -> None:
        self.contexts: list[dict[str, Any]] = []
        self.variables: list[dict[str, str]] = []
        self.accuracies = list(accuracies)
        self.house = house
        self.answers: dict[str, Any] | None = None  # what answers.json says; every reason is answered while it is None
        house.runner._commands.update({"train": self.train, "evaluate": self.evaluate})

    def train(self, task: Task, log: Log, _should_stop: Callable[[], str | None]) -> int:
        self._saw(task)
        log.write(f"training {len(self.contexts)}\n".encode())
        model = Path(task.environment["SIGNOFF_OUTPUT"]) / "model"
        model.mkdir()
        (model / "MLmodel").write_text(f"flavors: {{}} # {task.key}")
        said = (
            {a["id"]: f"did {a['kind']}" for a in self.contexts[-1]["asked"]} if self.answers is None else self.answers
        )
        (Path(task.environment["SIGNOFF_OUTPUT"]) / "answers.json").write_text(json.dumps(said))
        return 0

    def evaluate(self, task: Task, _log: Log, _should_stop: Callable[[], str | None]) -> int:
        self._saw(task)
        found = self.accuracies.pop(0)
        output = Path(task.environment["SIGNOFF_OUTPUT"])
        (output / "metrics.json").write_text(json.dumps({"accuracy": found}))
        return 0

    def _saw(self, task: Task) -> None:
        self.contexts.append(json.loads(Path(task.environment["SIGNOFF_CONTEXT"]).read_text()))
        self.variables.append(dict(task.environment))


def folder(house: House) -> str:
    """A packed pipeline folder, uploaded."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        info = tarfile.TarInfo("train.py")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"pass"))
    return str(made(house.as_("alice").ask("POST", "/snapshots", content=content.getvalue()))["digest"])


def start(house: House, pipeline: str = TRAINS) -> str:
    return house.submit(pipeline, "", snapshot=folder(house))
