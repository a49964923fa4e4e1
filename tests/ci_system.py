"""What GitHub's and GitLab's runners do with the files of `integrations/`, as far as these use it: inputs, and scripts.

Nothing is left out silently: a step or a key that is not known here fails the test that meets it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from issuer import ASKS_WITH, Issuer

TOP = Path(__file__).parents[1]
ACTION = TOP / "integrations" / "github"
TEMPLATE = TOP / "integrations" / "gitlab" / "signoff.gitlab-ci.yml"
_WITHIN = 60.0
_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@dataclass
class Job:
    """A job that runs in `folder`."""

    folder: Path
    process: subprocess.Popen[str]

    def read(self, name: str) -> str:
        """What is in a file that the job was given, or made."""
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def await_log(self, words: str) -> str:
        """The log, once it holds these words."""
        return self._until(lambda: words in self.read("log"))

    def await_end(self) -> int:
        """The exit status."""
        try:
            return self.process.wait(_WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.read("log")) from None

    def _until(self, is_so: Callable[[], bool]) -> str:
        deadline = time.monotonic() + _WITHIN
        while not is_so():
            assert time.monotonic() < deadline, self.read("log")
            assert self.process.poll() is None or is_so(), self.read("log")
            time.sleep(0.05)
        return self.read("log")


def values(text: str) -> dict[str, str]:
    """The lines NAME=value of an output file; the last of a name counts."""
    return dict(line.split("=", 1) for line in text.splitlines())


@contextmanager
def github(folder: Path, issuer: Issuer, *, run_id: str = "7", attempt: str = "1", **inputs: str) -> Iterator[Job]:
    """The step of the action that submits, in a job of GitHub Actions."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    known = {name: str(spec.get("default", "")) for name, spec in action["inputs"].items()}
    assert inputs.keys() <= known.keys()
    known |= inputs
    (step,) = [step for step in action["runs"]["steps"] if step.get("id") == "submit"]
    assert step.keys() == {"name", "id", "shell", "env", "run"}
    given = {name: _expression(text, known) for name, text in step["env"].items()}
    system = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ACTION),
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "octo/fraud",
        "GITHUB_SHA": "0123456789abcdef0123",
        "GITHUB_RUN_ID": run_id,
        "GITHUB_RUN_ATTEMPT": attempt,
        "GITHUB_JOB": "train",
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_OUTPUT": str(folder / "output"),
        "RUNNER_TEMP": str(folder / "temp"),
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.address}/id-token?api-version=2",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ASKS_WITH,
    }
    with _running(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]], folder, system | given
    ) as job:
        yield job


@contextmanager
def gitlab(folder: Path, tokens: Mapping[str, str], *, job_id: str = "1", **inputs: str) -> Iterator[Job]:
    """The job of the template, in GitLab CI; `tokens` are what its id tokens are."""
    spec, template = yaml.safe_load_all(TEMPLATE.read_text())
    known = {name: str((one or {}).get("default", "")) for name, one in spec["spec"]["inputs"].items()}
    assert inputs.keys() <= known.keys()
    known |= inputs
    ((name, job),) = _interpolated(template, known).items()
    assert job.keys() == {"stage", "image", "environment", "id_tokens", "variables", "script", "artifacts"}
    assert tokens.keys() <= job["id_tokens"].keys()
    system = {
        "GITLAB_CI": "true",
        "CI_PROJECT_PATH": "octo/fraud",
        "CI_COMMIT_SHA": "0123456789abcdef0123",
        "CI_PIPELINE_URL": "https://gitlab.example/octo/fraud/-/pipelines/7",
        "CI_JOB_ID": job_id,
        "CI_JOB_NAME": name,
        "CI_PROJECT_DIR": str(folder),
        "CI_BUILDS_DIR": str(folder / "builds"),
    }
    script = "\n".join(job["script"])
    with _running(["bash", "-e", "-o", "pipefail", "-c", script], folder, system | job["variables"] | tokens) as made:
        yield made


@contextmanager
def _running(call: list[str], folder: Path, given: Mapping[str, str]) -> Iterator[Job]:
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "TMPDIR"}}
    home = {"PATH": _PATH, "HOME": str(folder), "SIGNOFF_HOME": str(folder / "home")}
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            call, cwd=folder, env={**kept, **home, **given}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True
        )
    try:
        yield Job(folder, process)
    finally:
        process.kill()
        process.wait()


def _expression(text: str, inputs: Mapping[str, str]) -> str:
    found = re.fullmatch(r"\$\{\{ inputs\.(\w+) \}\}", text)
    assert found, f"{text} is not one input and nothing else"
    return inputs[found[1]]


def _interpolated(value: Any, inputs: Mapping[str, str]) -> Any:
    """GitLab fills inputs in after it has read the YAML: they are never part of it."""
    if isinstance(value, Mapping):
        return {_interpolated(k, inputs): _interpolated(v, inputs) for k, v in value.items()}
    if isinstance(value, list):
        for one in value:
            assert "$[[" not in str(one), "an input in a script is run as one"
        return value
    return (
        re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: inputs[found[1]], value) if isinstance(value, str) else value
    )
