"""GitHub's action and GitLab's template, run as their runners do, against a real server and the local issuer."""

from __future__ import annotations

import json
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ci_system import ACTION, Job, github, gitlab, values
from issuer import Issuer, an_issuer
from real_stack import PEOPLE, Stack, free_port, running
from signoff.sdk.client import Client
from signoff.sdk.connection import connect_with
from signoff.wire.gates import DecisionRequest, ReasonRequest
from signoff.wire.runs import RunBody
from tiny_models import write_model

BOT = "  - {name: ci-fraud, roles: [submitter]}\n"
WORKFLOW = "octo/fraud/.github/workflows/train.yml@refs/heads/main"
LAB_WORKFLOW = "gitlab.example/octo/fraud//.gitlab-ci.yml@refs/heads/main"
PIPELINE = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
"""
NASTY = "too low\n::error::pwned ##[error]pwned <script>x</script> [click](http://evil.example) `x` @bob"


@dataclass
class Scene:
    """A running server that trusts the jobs of the issuer; `folder` is where a job runs."""

    stack: Stack
    issuer: Issuer
    folder: Path = field(default_factory=Path)
    count: int = 0

    def claims(self, audience: str, **changes: Any) -> dict[str, Any]:
        self.count += 1
        now = int(time.time())
        usual = {
            "iss": self.issuer.address,
            "aud": audience,
            "jti": f"number-{self.count}",
            "iat": now,
            "exp": now + 300,
            "environment": "training",
            "repository_id": "4711",
            "workflow_ref": WORKFLOW,
        }
        return usual | changes

    def lab_tokens(self, *names: str) -> dict[str, str]:
        theirs = {"project_id": "4711", "ci_config_ref_uri": LAB_WORKFLOW, "environment": "signoff"}
        claims = [self.claims(self.stack.url, **theirs) for _ in names]
        for one in claims:
            del one["repository_id"], one["workflow_ref"]
        return {name: self.issuer.token(one) for name, one in zip(names, claims, strict=True)}

    def as_(self, name: str) -> Client:
        return connect_with(self.stack.url, self.stack.secret(name))

    def github(self, **inputs: str) -> Any:
        return github(self.folder, self.issuer, **{"server": self.stack.url, "model": "model", **inputs})

    def gitlab(self, *tokens: str, **inputs: str) -> Any:
        usual = {"server": self.stack.url, "model": "model", "version": ""}
        return gitlab(self.folder, self.lab_tokens(*(tokens or ("SIGNOFF_ID_TOKEN",))), **{**usual, **inputs})

    def waiting(self, job: Job) -> RunBody:
        """The run of the job, once it waits for bob."""
        log = job.await_log("approve waits for 1 more approval")
        with self.as_("bob") as bob:
            return bob.get_run(log.rpartition("/runs/")[2].split()[0])

    def decide(self, job: Job, verdict: str, comment: str = "") -> RunBody:
        run = self.waiting(job)
        reasons = [] if verdict == "approve" else [ReasonRequest(kind="metric", subject="recall")]
        with self.as_("bob") as bob:
            digest = run.attempts[-1].gates[-1].digest
            request = DecisionRequest(verdict=verdict, digest=digest, comment=comment, reasons=reasons)
            bob.decide(run.id, "approve", request)
        return run


@pytest.fixture(scope="module")
def _scene() -> Iterator[Scene]:
    with an_issuer() as issuer, running(PEOPLE + BOT) as stack:
        scene = Scene(stack, issuer)
        issuer.job = scene.claims
        pins = ["--issuer", issuer.address, "--audience", stack.url, "--repository-id", "4711", "--person", "ci-fraud"]
        hub = ["--workflow-ref", WORKFLOW, "--environment", "training"]
        lab = ["--system", "gitlab", "--workflow-ref", LAB_WORKFLOW, "--environment", "signoff"]
        stack.command("token", "trust", "add", "hub", *pins, *hub, who="erin")
        stack.command("token", "trust", "add", "lab", *pins, *lab, who="erin")
        yield scene


@pytest.fixture
def scene(_scene: Scene, tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    """In a folder of the test's own, with a pipeline and a model of its own bytes."""
    _scene.folder = tmp_path / "fraud"
    _scene.folder.mkdir()
    (_scene.folder / "signoff.yaml").write_text(PIPELINE)
    write_model(_scene.folder / "model")
    (_scene.folder / "model" / "weights").write_text(request.node.name)
    _scene.issuer.job = _scene.claims
    return _scene


def test_a_job_whose_model_is_approved_ends_well_with_link_summary_and_outputs(scene: Scene) -> None:
    with scene.github() as job:
        run = scene.decide(job, "approve")
        assert job.await_end() == 0, job.read("log")
        log = job.read("log")
    url = f"{scene.stack.url}/runs/{run.id}"
    assert f"::notice title=signoff::The run of {run.model} v{run.version}: {url}" in log
    said = values(job.read("output"))
    wanted = {"id": run.id, "url": url, "state": "succeeded", "model": run.model, "version": run.version, "exit": "0"}
    assert {name: said[name] for name in wanted} == wanted
    assert said["digest"] == run.attempts[0].digest
    assert f"](<{url}>)" in job.read("summary")
    assert run.note.startswith("octo/fraud@0123456789ab, https://github.example/octo/fraud/actions/runs/7")
    assert not list((scene.folder / "home").glob("logins/*")), "the token stays in memory"


def test_a_rejected_model_fails_the_job_and_the_reason_does_nothing_but_be_read(scene: Scene) -> None:
    with scene.github() as job:
        run = scene.decide(job, "reject", NASTY)
        assert job.await_end() == 4, job.read("log")
    log, summary = job.read("log"), job.read("summary")
    commands = [line for line in log.splitlines() if line.startswith("::") or "##[" in line]
    assert [line.split("::")[1] for line in commands] == ["notice title=signoff", "error title=signoff"]
    assert all("::error" not in line.removeprefix("::error title=signoff::") for line in commands)
    assert "bob rejected it (metric: recall): too low" in log
    assert "the run ended rejected" in summary.replace("\\", "")
    assert "- bob rejected it \\(metric\\: recall\\)\\: too low" in summary
    assert [part for part in ("<script", "[click](", "`x`", "\n::") if part in summary] == []
    assert values(job.read("output"))["state"] == "rejected"
    assert values(job.read("output"))["id"] == run.id


def test_requested_changes_fail_the_job_and_say_how_to_go_on(scene: Scene) -> None:
    with scene.github() as job:
        run = scene.decide(job, "request_changes", "more data, please")
        assert job.await_end() == 4, job.read("log")
    assert "bob requested changes (metric: recall): more data, please" in job.read("log")
    assert f"signoff resubmit {run.id} MODEL" in job.read("log")
    assert values(job.read("output"))["state"] == "changes_requested"


@pytest.mark.slow
def test_a_job_that_gave_up_waiting_goes_on_with_the_same_run_when_it_is_run_again(scene: Scene) -> None:
    with scene.github(timeout="1s") as job:
        assert job.await_end() == 5, job.read("log")
    first = values(job.read("output"))
    assert (first["state"], "approve waits for 1 more approval" in job.read("log")) == ("waiting", True)
    assert "Run this job again to go on waiting" in job.read("summary").replace("\\", "")
    (scene.folder / "log").unlink()
    with github(scene.folder, scene.issuer, attempt="2", server=scene.stack.url, model="model") as job:
        scene.decide(job, "approve")
        assert job.await_end() == 0, job.read("log")
    assert values(job.read("output"))["id"] == first["id"]


@pytest.mark.slow
def test_a_job_that_is_run_again_after_a_no_submits_anew(scene: Scene) -> None:
    with scene.github() as job:
        rejected = scene.decide(job, "reject", "no")
        assert job.await_end() == 4
    (scene.folder / "log").unlink()
    with github(scene.folder, scene.issuer, attempt="2", server=scene.stack.url, model="model") as job:
        assert scene.decide(job, "approve").id != rejected.id
        assert job.await_end() == 0, job.read("log")


def test_a_job_that_does_not_wait_ends_when_the_run_has_begun(scene: Scene) -> None:
    with scene.github(wait="false") as job:
        assert job.await_end() == 0, job.read("log")
    assert "has begun" in job.read("log")
    assert values(job.read("output"))["url"].startswith(f"{scene.stack.url}/runs/")


def test_a_server_that_is_away_is_said_in_the_summary(scene: Scene) -> None:
    with scene.github(server=f"http://localhost:{free_port()}") as job:
        assert job.await_end() == 6, job.read("log")
    assert "No answer from http" in job.read("summary").replace("\\", "")
    assert values(job.read("output"))["exit"] == "6"


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"repository_id": "4712"}, 3, "No trust fits this job"),
        ({"exp": 1}, 3, "is over"),
    ],
)
def test_a_job_that_nobody_trusts_submits_nothing(
    scene: Scene, change: dict[str, Any], status: int, words: str
) -> None:
    scene.issuer.job = lambda audience: scene.claims(audience, **change)
    with scene.github() as job:
        assert job.await_end() == status, job.read("log")
    assert words in job.read("log")
    assert values(job.read("output"))["id"] == ""


@pytest.mark.slow
def test_a_job_outlives_what_it_got_for_its_first_id_token(scene: Scene) -> None:
    with scene.github() as job:
        scene.waiting(job)
        _end_tokens(scene)
        scene.decide(job, "approve")
        assert job.await_end() == 0, job.read("log")


@pytest.mark.parametrize(
    ("inputs", "status", "words"),
    [
        ({"model": "--server=http://evil.example"}, 2, "There is no file or folder '--server=http://evil.example'"),
        ({"model": "$(touch pwned)"}, 2, "There is no file or folder '$(touch pwned)'"),
        ({"file": "$(touch pwned)"}, 2, "$(touch pwned)"),
        ({"timeout": "1s; touch pwned"}, 2, "--timeout '1s; touch pwned'"),
        ({"wait": "$(touch pwned)"}, 2, "say true or false"),
        ({"server": "http://signoff.example"}, 3, "has no TLS"),
    ],
)
def test_inputs_are_values_and_nothing_else(scene: Scene, inputs: dict[str, str], status: int, words: str) -> None:
    with scene.github(**inputs) as job:
        assert job.await_end() == status, job.read("log")
    assert words in job.read("log")
    assert not (scene.folder / "pwned").exists()


def test_gitlab_gets_the_link_the_values_and_the_status(scene: Scene) -> None:
    with scene.gitlab() as job:
        run = scene.decide(job, "approve")
        assert job.await_end() == 0, job.read("log")
    said = values(job.read("signoff.env"))
    assert (said["MODEL_RUN_ID"], said["MODEL_RUN_STATE"], said["MODEL_RUN_EXIT"]) == (run.id, "succeeded", "0")
    ((link,),) = json.loads(job.read("signoff-links.json")).values()
    assert link["external_link"]["url"] == f"{scene.stack.url}/runs/{run.id}"
    assert link["external_link"]["url"] in job.read("log")
    assert "::notice" not in job.read("log")
    assert all(name.startswith("MODEL_RUN_") for name in said), "a later job's signoff refuses unknown SIGNOFF_ names"


def test_gitlab_fails_a_rejected_model_with_the_reason_in_the_log(scene: Scene) -> None:
    with scene.gitlab(note='it\'s "October" $HOME') as job:
        run = scene.decide(job, "reject", NASTY)
        assert job.await_end() == 4, job.read("log")
    assert run.note == 'it\'s "October" $HOME'
    assert "bob rejected it (metric: recall): too low" in job.read("log")
    assert values(job.read("signoff.env"))["MODEL_RUN_STATE"] == "rejected"


@pytest.mark.slow
def test_gitlab_goes_on_with_its_next_id_token_and_gives_up_after_the_last(scene: Scene) -> None:
    with scene.gitlab("SIGNOFF_ID_TOKEN", "SIGNOFF_ID_TOKEN_2") as job:
        scene.waiting(job)
        _end_tokens(scene)
        _await(lambda: _tokens(scene) != [])
        _end_tokens(scene)
        assert job.await_end() == 5, job.read("log")
    assert "has no further id token" in job.read("log")
    assert values(job.read("signoff.env"))["MODEL_RUN_STATE"] == "waiting"


def test_the_version_that_was_asked_for_is_installed_and_found(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _write_wheel(wheels, "9.8.7")
    env = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    inputs = {"PIPELINE_FILE": "f", "TIMEOUT": "1m", "NOTE": "a b", "METRICS": "", "AUDIENCE": "", "WAIT": "true"}

    def run(script: str, **more: str) -> subprocess.CompletedProcess[str]:
        call = ["bash", str(ACTION / script)]
        return subprocess.run(call, env=env | more, capture_output=True, text=True, check=False, cwd=tmp_path)

    installed = run("install.sh", VERSION="9.8.7")
    assert installed.returncode == 0, installed.stderr
    assert run("submit.sh", MODEL="m", **inputs).stdout.split() == [
        "9.8.7", "ci", "--file=f", "--timeout=1m", "--message=a", "b", "--", "m",
    ]  # fmt: skip
    assert run("install.sh", VERSION="9.8.7 other").returncode == 2
    assert run("install.sh", VERSION="--index-url=x").returncode == 2


def _write_wheel(folder: Path, version: str) -> None:
    """A package called signoff whose command says what it was called with."""
    info = f"signoff-{version}.dist-info"
    files = {
        "signoff.py": f"import sys\ndef main():\n    print('{version}', *sys.argv[1:])\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: signoff\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsignoff = signoff:main\n",
    }
    with zipfile.ZipFile(folder / f"signoff-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))


def _tokens(scene: Scene) -> list[str]:
    with scene.as_("erin") as erin:
        return [token.id for token in erin.people.list_tokens(person="ci-fraud").items]


def _end_tokens(scene: Scene) -> None:
    with scene.as_("erin") as erin:
        for token in _tokens(scene):
            erin.people.revoke_token(token)


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
