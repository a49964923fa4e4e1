"""`signoff pipeline`, in words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from fake_server import NOON, FakeServer, page
from signoff.wire.watches import PipelineBody, StartBody
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures

TEXT = """\
name: fraud
on: {model_version: fraud-dev}
steps:
  - {name: approve, type: approval, inputs: {approvers: ['bob']}}
"""


def a_pipeline(**more: Any) -> PipelineBody:
    values = {"name": "fraud", "watched": "fraud-dev", "model": "fraud-dev", "owner": "alice", "digest": "sha256:1"}
    return PipelineBody(**{**values, "seen": 7, "added_at": NOON, "looked_at": NOON, **more})


def a_start(version: int, **more: Any) -> StartBody:
    return StartBody(model="fraud-dev", version=version, at=NOON, **more)


def test_a_file_is_registered_and_what_that_means_is_said(type_: Type, server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(TEXT)
    server.routes["POST", "/pipelines"] = a_pipeline(model="fraud", made_by=["group:ds"])
    said = type_("pipeline", "add", str(file), "--from", "5")
    sent = server.body("POST", "/pipelines")
    assert (sent["pipeline"], sent["filename"], sent["folder_name"]) == (TEXT, "own.yaml", tmp_path.name)
    assert (sent["since"], sent.get("snapshot")) == (5, None)
    assert said.out.splitlines() == [
        "✔ fraud starts with each new version of fraud-dev: v8 is the next",
        "  Each is copied into fraud, and reviewed and deployed as that.",
        "  Its runs count as submitted by alice, who approves none of them.",
        "  Nor does anybody of group:ds, who may register versions.",
    ]


def test_a_file_that_is_wrong_is_not_sent(type_: Type, server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "signoff.yaml").write_text("on: {model: fraud}\n")
    said = type_("pipeline", "add", str(tmp_path / "signoff.yaml"))
    assert said.status == 2
    assert "did you mean 'model_version'?" in said.err
    assert server.sent("POST", "/pipelines") == []


def test_pipelines_are_listed_with_what_came_of_the_newest_version(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/pipelines"] = page(
        a_pipeline(starts=[a_start(7, run="r-7")]),
        a_pipeline(name="other", problem="alice may not submit.", problem_at=NOON),
        a_pipeline(name="third", starts=[a_start(1, why_not="nobody could approve it")]),
        a_pipeline(name="young"),
    )
    lines = type_("pipeline", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "fraud", "other", "third", "young"]
    for line, words in zip(
        lines[1:],
        ["v7: run r-7", "waits: alice may not submit.", "v1: no run: nobody could approve it", "no new version yet"],
        strict=True,
    ):
        assert words in line


def test_no_pipelines_say_how_to_make_one(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/pipelines"] = page()
    assert type_("pipeline", "list").out == "No registered pipelines. `signoff pipeline add FILE` makes one.\n"


def test_one_is_shown_with_what_is_in_the_way_and_every_version(type_: Type, server: FakeServer) -> None:
    starts = [a_start(9, run="r-9"), a_start(8, run="r-8", why_not="it was submitted by hand")]
    server.routes["GET", "/pipelines/fraud"] = a_pipeline(
        problem="MLflow is away", problem_at=NOON - timedelta(hours=1), starts=starts, looked_at=None
    )
    said = type_("pipeline", "show", "fraud").out
    assert "fraud starts with each new version of fraud-dev: v8 is the next" in said
    assert "not yet; does a worker run?" in said
    assert "MLflow is away" in said
    assert "run r-9\n" in said
    assert "run r-8 (it was submitted by hand)\n" in said


def test_one_is_removed(type_: Type, server: FakeServer) -> None:
    server.routes["DELETE", "/pipelines/fraud"] = a_pipeline()
    said = type_("pipeline", "remove", "fraud")
    assert said.out == "New versions of fraud-dev start fraud no more.\n"
