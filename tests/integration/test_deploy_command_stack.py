"""A command deploys in a real signoff: what `signoff up` wires, and what the command line then prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fault_scene import until
from real_stack import running

PIPELINE = """\
name: fraud
model: fraud
steps:
  - {name: approve, type: approval, inputs: {approvers: [bob]}}
  - {name: release, type: deployment, inputs: {environment: production}}
"""
SCRIPT = """\
import os, pathlib
print("applies", os.environ["SIGNOFF_MODEL"], "with", os.environ["TOKEN"])
print(sorted(f.name for f in pathlib.Path(os.environ["SIGNOFF_MODEL_PATH"]).iterdir()))
pathlib.Path(os.environ["SIGNOFF_OUTPUT"], "address").write_text("https://models.example.com/fraud")
"""


@pytest.mark.slow
def test_the_command_line_shows_what_the_command_of_an_environment_wrote(tmp_path: Path) -> None:
    (tmp_path / "deploy.py").write_text(SCRIPT)
    (tmp_path / "token").write_text("key-of-the-cluster\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("7")
    (tmp_path / "signoff.yaml").write_text(PIPELINE)
    deployer = {
        "type": "command",
        "run": [sys.executable, str(tmp_path / "deploy.py")],
        "secrets": {"TOKEN": {"file": str(tmp_path / "token")}},
    }
    with running(environments=json.dumps({"environments": {"production": {"deployer": deployer}}})) as stack:
        run_id = stack.command(
            *("submit", str(tmp_path / "model"), "--file", str(tmp_path / "signoff.yaml"), "--quiet"), who="alice"
        ).strip()

        def status(wanted: str) -> bool:
            found = json.loads(stack.command("show", run_id, "--json", who="alice"))["status"]
            assert found in {"submitted", "running", "waiting", "succeeded"}
            return bool(found == wanted)

        until(lambda: status("waiting"), "the gate is open")
        stack.command("approve", run_id, "--yes", who="bob")
        until(lambda: status("succeeded"), "it is deployed")
        assert stack.command("logs", run_id, "release", who="alice").splitlines() == [
            "[signoff] deploys fraud v1 to production",
            "applies fraud with [secret]",
            "['weights']",
        ]
        shown = stack.command("environment", "show", "production", who="alice")
        assert f"run `{sys.executable} {tmp_path}/deploy.py`" in " ".join(shown.split())
        assert "https://models.example.com/fraud" in shown
        assert "key-of-the-cluster" not in stack.log.read_text()
