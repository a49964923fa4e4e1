"""A test command that leaves predictions: which rows it gets wrong depends on the bytes of the model it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from house import House, made
from signoff.ports import Log, Task
from training_scene import folder

ROWS = 300
PREDICTS = """\
model: fraud-detector
steps:
  - name: test
    type: test
    inputs:
      run: evaluate
      checks: ['accuracy > 0.85']
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""


class Examiner:
    """The command ``evaluate``: `wrong` says by how many rows each version errs, in the order of their registration."""

    def __init__(self, house: House, *wrong: int) -> None:
        self.house, self.wrong = house, wrong
        self.asked: list[str] = []
        self.metrics: dict[str, Any] | None = None
        self.text: str | None = None
        self.fails_for: set[str] = set()
        house.runner._commands["evaluate"] = self.evaluate

    def evaluate(self, task: Task, _log: Log, _should_stop: Callable[[], str | None]) -> int:
        weights = (Path(task.environment["SIGNOFF_MODEL_PATH"]) / "weights").read_text()
        self.asked.append(weights)
        if weights in self.fails_for:
            return 3
        output = Path(task.environment["SIGNOFF_OUTPUT"])
        (output / "predictions.csv").write_text(self.text or predictions(self.wrong[int(weights)]))
        if self.metrics is not None:
            (output / "metrics.json").write_text(json.dumps(self.metrics))
        return 0


def predictions(wrong: int, rows: int = ROWS) -> str:
    """So many rows with truth, answer and region, of which the first `wrong` are wrong; every tenth is in the east."""
    lines = ["y_true,y_pred,region"]
    for row in range(rows):
        true = row % 2
        answer = 1 - true if row < wrong else true
        lines.append(f"{true},{answer},{'east' if row % 10 == 0 else 'west'}")
    return "\n".join(lines) + "\n"


def submit(house: House, inputs: str = "", *, pipeline: str = PREDICTS, model: str | None = None) -> str:
    """alice submits the next version for a pipeline whose test step says `inputs` too."""
    lines = "".join(f"      {line}\n" for line in inputs.splitlines())
    text = pipeline.replace("      run: evaluate\n", f"      run: evaluate\n{lines}")
    return house.submit(text, model, snapshot=_folder(house))


def _folder(house: House) -> str:
    """One packed folder per house: packing notes the time, and other bytes are another folder."""
    if house.folder not in _FOLDERS:
        _FOLDERS[house.folder] = folder(house)
    return _FOLDERS[house.folder]


_FOLDERS: dict[Path, str] = {}


def found(house: House, run_id: str) -> dict[str, Any]:
    """What the test step found out, over REST."""
    evidence: dict[str, Any] = house.step(run_id, "test")["evidence"]
    return evidence


def check(house: House, run_id: str, name: str) -> tuple[str, str]:
    """Status and reason of one check."""
    one = next(one for one in found(house, run_id)["checks"] if one["name"] == name)
    return one["status"], one["reason"]


def deploy(house: House, run_id: str) -> None:
    """bob approves, and the version is the champion."""
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded", made(house.as_("dave").get(f"/runs/{run_id}"))["error"]
