"""`signoff ci` beside a server that remembers: what it says and where, and what comes of a server that goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from fake_server import FakeServer, ended, problem, run
from signoff.cli.ci_report import Outcome, Report, _plain, line, outcome_of, reasons
from signoff.domain.errors import ConfigurationError
from signoff.sdk.ci_job import CiJob, ci_job
from typist import GOOD, Type, a_home, a_keyboard, a_server  # noqa: F401 - fixtures

TOKEN = ("--token", "of-the-job")


@pytest.fixture(autouse=True)
def _elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no CI system, with a pipeline, and in no hurry."""
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("signoff.sdk.run.time.sleep", lambda _: None)
    Path("signoff.yaml").write_text(GOOD)


def test_elsewhere_it_submits_with_the_token_that_it_was_given_and_waits(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/runs"] = run()
    server.routes["GET", "/runs/abc123"] = [run(), ended("succeeded")]
    said = type_("ci", "models:/fraud/3", *TOKEN)
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines()[0] == "The run of fraud v3: http://localhost:8010/runs/abc123"
    assert said.out.splitlines()[-1] == "fraud v3 is succeeded. http://localhost:8010/runs/abc123"
    assert server.seen[0].headers["authorization"] == "Bearer of-the-job"
    assert not list(Path().glob("signoff*.env"))


def test_json_is_one_document_and_the_words_are_on_stderr(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/runs"] = run()
    server.routes["GET", "/runs/abc123"] = ended("rejected")
    said = type_("ci", "models:/fraud/3", *TOKEN, "--json")
    assert (said.status, said.document["status"]) == (4, "rejected")
    assert "the run ended rejected" in said.err


def test_a_server_that_goes_while_the_job_waits_is_told_with_the_run(
    type_: Type, server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("signoff.sdk.run.PATIENCE_S", -1.0)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    server.routes["POST", "/runs"] = run()
    server.routes["GET", "/runs/abc123"] = httpx2.ConnectError("refused")
    said = type_("ci", "models:/fraud/3", *TOKEN)
    assert (said.status, "::error title=signoff::No answer from" in said.out) == (6, True)
    assert "id=abc123\n" in (tmp_path / "output").read_text()


def test_a_job_without_any_credential_is_told_what_to_write(type_: Type) -> None:
    said = type_("ci", "models:/fraud/3")
    assert (said.status, "id-token: write" in said.err) == (3, True)


def test_a_token_that_is_over_while_the_job_waits_ends_the_waiting(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/runs"] = run()
    server.routes["GET", "/runs/abc123"] = problem(401, "token_over", "The token is not good any more.")
    said = type_("ci", "models:/fraud/3", *TOKEN)
    assert (said.status, "The token that was given is over." in said.out) == (5, True)


@pytest.mark.parametrize(
    ("words", "status"), [(("--as", "bob"), 2), (("--timeout", "soon"), 2), (("--metrics", "nowhere.json"), 2)]
)
def test_a_wrong_call_is_told_before_anything_is_sent(
    type_: Type, server: FakeServer, words: tuple[str, ...], status: int
) -> None:
    assert type_("ci", "models:/fraud/3", *(TOKEN if "--as" not in words else ()), *words).status == status
    assert server.seen == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("::error::x", ":\u200c:error:\u200c:x"),
        ("a\n::set-output name=x::y\r\n", "a :\u200c:set-output name=x:\u200c:y"),
        ("##[add-mask]x", "# #[add-mask]x"),
        ("\x1b[31mred\u202e", "\ufffd[31mred\ufffd"),
        ("section_start:0:x\r\x1b[0K", "section_start:0:x \ufffd[0K"),
    ],
)
def test_a_line_is_one_line_that_no_runner_obeys(text: str, said: str) -> None:
    assert line(text) == said


def test_in_a_summary_text_is_text() -> None:
    nasty = "<script>a</script> **b** [c](http://d.example) `e` | f @bob &lt; ~~g~~ # h $i$"
    made = _plain(nasty)
    assert "<" not in made
    for mark in "*_[]()`|@~#$":
        assert all(made[place - 1] == "\\" for place, letter in enumerate(made) if letter == mark), mark


def test_the_reasons_are_of_those_who_said_no_of_checks_and_of_what_broke() -> None:
    found = run(error="the registry did not answer")
    assert "the registry did not answer" in reasons(found)
    assert not any("carol" in reason for reason in reasons(found)), "who approved is no reason"
    assert outcome_of(ended("errored"), "u").exit == 1
    assert outcome_of(ended("expired"), "u").exit == 4


def test_a_summary_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    job = CiJob("github", "", "", "")
    report = Report(job, is_json=False, environment={"GITHUB_STEP_SUMMARY": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="cannot be written"):
        report.end(Outcome(0, "done"))


def test_a_job_knows_its_run_again_and_its_try_apart() -> None:
    github: dict[str, Any] = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_JOB": "train"}
    first, again = ci_job({**github, "GITHUB_RUN_ATTEMPT": "1"}), ci_job({**github, "GITHUB_RUN_ATTEMPT": "2"})
    other = ci_job({**github, "GITHUB_RUN_ID": "8"})
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.about == again.about
    assert first.keys("x")[0] == again.keys("x")[0]
    assert len({first.keys("x"), again.keys("x"), other.keys("x"), first.keys("y")}) == 4
    assert len({*first.keys("x"), *again.keys("x"), *other.keys("x")}) == 5
    assert ci_job({}) is None
