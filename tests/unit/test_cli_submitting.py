from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from fake_server import (
    FakeServer,
    ended,
    run,
    snapshot,
)
from typist import BAD, GOOD, TRAINS, Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures


def test_a_reference_is_submitted_with_the_file_beside_it(type_: Type, server: FakeServer) -> None:
    Path("signoff.yaml").write_text(GOOD)
    Path("metrics.json").write_text('{"auc": 0.9}')
    server.routes["POST", "/runs"] = run()
    said = type_("submit", "models:/fraud/3", "-m", "-- a note", "--metrics", "metrics.json")
    assert said == (
        0,
        "Run abc123 of fraud-detector has begun, about fraud v3.\n  signoff show abc123  shows how it stands\n",
        "",
    )
    assert server.body("POST", "/runs") == {
        "pipeline": GOOD,
        "filename": "signoff.yaml",
        "folder_name": "folder",
        "model": "models:/fraud/3",
        "note": "-- a note",
        "metrics": {"auc": 0.9},
    }
    assert type_("submit", "models:/fraud/3", "-q").out == "abc123\n"
    assert type_("submit", "models:/fraud/3", "--json").document["id"] == "abc123"


def test_a_file_of_another_name_is_sent_under_it(type_: Type, server: FakeServer) -> None:
    Path("other.yaml").write_text(GOOD)
    server.routes["POST", "/runs"] = run()
    assert type_("submit", "models:/fraud/3", "-f", "other.yaml").status == 0
    assert server.body("POST", "/runs")["filename"] == "other.yaml"


def test_the_folder_is_sent_along_when_a_step_runs_something(type_: Type, server: FakeServer) -> None:
    Path("signoff.yaml").write_text(TRAINS)
    Path("train.py").write_text("print(1)")
    server.routes["POST", "/snapshots"] = snapshot
    server.routes["POST", "/runs"] = run(version=None)
    assert type_("run").status == 0
    (upload,) = server.sent("POST", "/snapshots")
    assert server.body("POST", "/runs")["snapshot"] == snapshot(upload).digest
    assert "model" not in server.body("POST", "/runs")


def test_a_file_with_errors_is_told_before_anything_is_sent(type_: Type, server: FakeServer) -> None:
    Path("signoff.yaml").write_text(BAD)
    said = type_("submit", "models:/fraud/3")
    assert said.status == 2
    assert said.err.startswith("error: signoff.yaml has an error, and nothing was sent.\nsignoff.yaml:7:18: approvers")
    assert server.seen == []


@pytest.mark.parametrize(
    ("content", "what"),
    [("steps: 1", "m.json is not JSON: "), ("[1]", "m.json holds no JSON object.")],
)
def test_metrics_that_are_no_object_are_refused(type_: Type, server: FakeServer, content: str, what: str) -> None:
    Path("signoff.yaml").write_text(GOOD)
    Path("m.json").write_text(content)
    said = type_("submit", "models:/fraud/3", "--metrics", "m.json")
    assert said.status == 2
    assert said.err.startswith(f"error: {what}")
    assert type_("submit", "models:/fraud/3", "--metrics", "nowhere").status == 2


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("succeeded", 0),
        ("rejected", 4),
        ("failed", 4),
        ("expired", 4),
        ("superseded", 4),
        ("cancelled", 4),
        ("errored", 1),
    ],
)
def test_waiting_ends_as_the_run_does(
    type_: Type, server: FakeServer, monkeypatch: pytest.MonkeyPatch, state: str, status: int
) -> None:
    monkeypatch.setattr("signoff.sdk.run.time.sleep", lambda _: None)
    Path("signoff.yaml").write_text(GOOD)
    server.routes["POST", "/runs"] = run(status="running", waits_for=None)
    server.routes["GET", "/runs/abc123"] = [run(), ended(state)]
    said = type_("submit", "models:/fraud/3", "--wait")
    assert said.status == status
    assert said.out.splitlines() == [
        "Run abc123 of fraud-detector has begun, about fraud v3.",
        "attempt 1: test_model: succeeded",
        "attempt 1: approve_model: waiting",
        "approve_model waits for 1 more approval for risk, from bob.",
        f"run abc123: {state}",
    ]
    server.routes["GET", "/runs/abc123"] = ended(state)
    as_json = type_("submit", "models:/fraud/3", "--wait", "--json")
    assert (as_json.status, as_json.document["status"]) == (status, state)


def test_waiting_is_given_up_with_5(type_: Type, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("signoff.yaml").write_text(GOOD)
    server.routes["POST", "/runs"] = run()
    monkeypatch.setattr("signoff.spec.duration.parse_duration", lambda _: timedelta(seconds=0.01))
    said = type_("submit", "models:/fraud/3", "--wait", "--timeout", "2h")
    assert said.status == 5
    assert said.err == (
        "error: The run is still waiting after 0.01 seconds.\n"
        "       It goes on; see how it stands with `signoff show abc123`.\n"
    )


def test_ctrl_c_stops_the_waiting_and_not_the_run(
    type_: Type, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("signoff.sdk.run.time.sleep", interrupt)
    Path("signoff.yaml").write_text(GOOD)
    server.routes["POST", "/runs"] = run()
    said = type_("submit", "models:/fraud/3", "--wait")
    assert said.status == 5
    assert said.err == "Stopped waiting; the run goes on. `signoff show abc123` shows how it stands.\n"


def test_on_a_terminal_the_whole_page_follows_the_waiting(
    type_: Type, server: FakeServer, monkeypatch: pytest.MonkeyPatch, answers: Callable[..., None]
) -> None:
    answers()
    monkeypatch.setattr("signoff.sdk.run.time.sleep", lambda _: None)
    Path("signoff.yaml").write_text(GOOD)
    server.routes["POST", "/runs"] = run()
    server.routes["GET", "/runs/abc123"] = [run(), ended("succeeded")]
    said = type_("submit", "models:/fraud/3", "--wait")
    assert said.status == 0
    assert "Metrics of test_model" in said.out


def test_a_run_goes_on_with_its_next_version(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/runs/last/submissions"] = run(attempt=2, version="4")
    said = type_("resubmit", "last", "models:/fraud/4")
    assert said.out.splitlines()[0] == "Run abc123 of fraud-detector goes on with attempt 2 of 3, about fraud v4."
