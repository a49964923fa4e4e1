from __future__ import annotations

from pathlib import Path

import httpx2

from fake_server import (
    FakeServer,
)
from typist import BAD, GOOD, Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures


def test_a_good_file_is_said_to_be_good(type_: Type) -> None:
    Path("signoff.yaml").write_text(GOOD)
    assert type_("validate", "--offline") == (0, "signoff.yaml: good: train_model -> approve_model\n", "")
    assert type_("validate", "--offline", "-q") == (0, "", "")
    assert type_("validate", "--offline", "--json").document == {"is_valid": True, "problems": []}


def test_a_bad_file_is_shown_with_caret_and_hint(type_: Type) -> None:
    Path("signoff.yaml").write_text(BAD)
    said = type_("validate", "signoff.yaml")
    assert said.status == 2
    assert said.out == (
        "signoff.yaml:7:18: approvers must be a list of people or groups, not a single string\n"
        "    7 |       approvers: 'bob'\n"
        "      |                  ^^^^^ write ['bob']\n"
    )
    document = type_("validate", "signoff.yaml", "--json").document
    assert document["is_valid"] is False
    assert [(p["line"], p["column"]) for p in document["problems"]] == [(7, 18)]


def test_one_bad_file_among_good_ones_is_enough(type_: Type) -> None:
    Path("good.yaml").write_text(GOOD)
    Path("bad.yaml").write_text("steps: 3")
    said = type_("validate", "--offline", "good.yaml", "bad.yaml")
    assert said.status == 2
    assert "good.yaml: good" in said.out
    assert "bad.yaml:1:8: " in said.out


def test_a_file_that_is_not_there_is_named(type_: Type) -> None:
    assert type_("validate") == (
        2,
        "",
        "error: There is no file signoff.yaml.\n       Name the pipeline file, or write one with `signoff init`.\n",
    )


def test_the_schema_is_one_json_document(type_: Type) -> None:
    assert type_("validate", "--schema").document["title"] == "signoff.yaml"


def test_a_server_that_is_known_here_is_asked_unless_told_not_to(type_: Type, server: FakeServer) -> None:
    Path("signoff.yaml").write_text(GOOD)
    answer = {"is_valid": False, "problems": [{"message": "who is bob?"}], "text": "signoff.yaml:7:19: who is bob?"}
    server.routes["POST", "/pipelines/validate"] = httpx2.Response(200, json=answer)
    for words in (["validate"], ["validate", "--online"], ["validate", "--server", "http://localhost:8010"]):
        said = type_(*words)
        assert (said.status, said.out) == (2, "signoff.yaml:7:19: who is bob?\n")
    assert len(server.seen) == 3
    assert type_("validate", "--offline").status == 0
    assert len(server.seen) == 3
    both = type_("validate", "--offline", "--online")
    assert (both.status, both.err.splitlines()[0]) == (2, "error: Both --online and --offline were given.")


def test_without_an_answer_a_file_is_checked_by_itself_and_that_is_said(type_: Type, server: FakeServer) -> None:
    Path("signoff.yaml").write_text(GOOD)
    server.routes["POST", "/pipelines/validate"] = httpx2.ConnectError("refused")
    said = type_("validate")
    assert (said.status, said.out) == (0, "signoff.yaml: good: train_model -> approve_model\n")
    assert said.err.startswith("Checked without the server, so whether its people can approve is not known: ")
    assert type_("validate", "--online").status == 6
    assert type_("validate", "--server", "http://localhost:8010").status == 6


def test_nobody_is_asked_where_no_server_is_known(type_: Type, server: FakeServer, home: Path) -> None:
    (home / "up.json").unlink()
    Path("signoff.yaml").write_text(GOOD)
    assert type_("validate") == (0, "signoff.yaml: good: train_model -> approve_model\n", "")
    assert server.seen == []


def test_init_writes_a_folder_that_validates_and_overwrites_nothing(type_: Type) -> None:
    said = type_("init", "new/project")
    assert said.status == 0
    assert said.out.splitlines()[1] == (
        "Next: `cd new/project && signoff run` (with `signoff up` in another terminal). The approver is bob."
    )
    assert "approvers: ['bob']" in Path("new/project/signoff.yaml").read_text()
    assert type_("validate", "new/project").status == 0
    again = type_("init", "new/project")
    assert (again.status, again.out) == (3, "")
    assert "README.md, evaluate.py, signoff.yaml, train.py are already in" in again.err
    assert sorted(type_("init", "other", "--json").document) == ["files", "folder"]
