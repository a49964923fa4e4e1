from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from fake_server import (
    FakeServer,
    problem,
)
from signoff.cli.commands import COMMANDS, GROUPS, LATER
from typist import GOOD, Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures

# the overview, and what is typed wrong


def test_the_overview_lists_every_command(type_: Type) -> None:
    said = type_("--help")
    assert said.status == 0
    for _, group in GROUPS:
        for command in group:
            assert f"\n  {command.name} " in said.out
            assert command.summary in said.out
    assert said.out == type_().out == type_("help").out


def test_the_version_is_printed(type_: Type) -> None:
    assert type_("--version") == (0, "signoff 0.1.0\n", "")


@pytest.mark.parametrize(
    "words", [*([name] for name in COMMANDS), ["environment", "list"], ["environment", "show"], ["audit", "list"]]
)
def test_every_command_explains_itself(type_: Type, words: list[str]) -> None:
    said = type_(*words, "--help")
    assert said.status == 0
    usage, _, description, *_ = said.out.splitlines()
    assert usage.startswith(f"Usage: signoff {' '.join(words)}")
    assert len(description.split()) > 1
    assert said.out == type_("help", *words).out


def modules_after(words: list[str], *names: str) -> list[str]:
    code = (
        "import sys; from signoff.cli.app import main; status = main(sys.argv[2:]);"
        "print([m for m in sys.argv[1].split(',') if m in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, ",".join(names), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stderr.replace("'", '"'))
    return found


@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_the_overview_imports_nothing_heavy(words: list[str]) -> None:
    assert modules_after(words, "cyclopts", "rich", "pydantic", "httpx2", "yaml", "sqlalchemy", "mlflow") == []


def test_validating_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "signoff.yaml").write_text(GOOD)
    heavy = ("rich", "pydantic", "httpx2", "sqlalchemy", "mlflow", "fastapi")
    assert modules_after(["validate", str(tmp_path / "signoff.yaml")], *heavy) == []


def test_a_mistyped_command_is_met_with_the_nearest_one(type_: Type) -> None:
    assert type_("aprove", "last") == (
        2,
        "",
        "error: 'aprove' is not a command of signoff.\n       Did you mean `signoff approve`?\n",
    )


@pytest.mark.parametrize("name", sorted(LATER))
def test_what_does_not_exist_yet_says_so(type_: Type, name: str) -> None:
    said = type_(*name.split(), "--anything")
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"error: `signoff {name}` is not available yet.\n")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["submit"], "`signoff submit` needs MODEL."),
        (["rollback", "local"], "`signoff rollback` needs MODEL."),
        (["approve", "x", "-m"], "-m needs a value."),
        (["show", "--zzz"], "Unknown option: --zzz."),
        (["list", "--limit", "x"], 'Invalid value for --limit: unable to convert "x" into int.'),
        (["list", "--limit", "0"], "--limit 0 lists nothing."),
        (["worker", "--concurrency", "0"], "--concurrency 0 would do nothing."),
        (["up", "--port", "70000"], "70000 is not a port."),
        (["rollback", "local", "fraud"], "A rollback needs a reason."),
        (["comment", "last", "-m", " "], "The comment is empty."),
        (["--as"], "--as needs a value."),
        (["--nope"], "'--nope' is not an option of signoff."),
        (["--token", "t", "--as", "bob", "whoami"], "Both a token and a person were given."),
        (["submit", "m", "--timeout", "5x"], "--timeout '5x' is not a length of time."),
        (["whoami", "--server", "nowhere"], "'nowhere' is not the address of a server."),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_is_wrong(type_: Type, words: list[str], what: str) -> None:
    said = type_(*words)
    assert (said.status, said.out) == (2, "")
    first, second = said.err.splitlines()
    assert first == f"error: {what}"
    assert second.startswith("       ")
    assert second.endswith(".")


def test_common_options_may_come_first(type_: Type, server: FakeServer) -> None:
    assert type_("--as", "bob", "--json", "whoami").document["name"] == "bob"
    assert type_("--server=http://localhost:9", "-q", "whoami").out == "bob\n"


def test_a_misspelt_setting_is_refused(type_: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_SEVER", "x")
    said = type_("whoami")
    assert said.status == 2
    assert said.err == ("error: SIGNOFF_SEVER is not a setting of signoff.\n       Did you mean SIGNOFF_SERVER?\n")


# how a refusal is told


def test_without_a_credential_it_ends_with_3_and_says_how_to_get_one(type_: Type, home: Path) -> None:
    (home / "up.json").unlink()
    (home / "credentials" / "bob.session").unlink()
    said = type_("list")
    assert said.status == 3
    assert said.err.splitlines()[0] == "error: There is no credential for http://localhost:8010."


def test_without_a_server_it_ends_with_6(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs/last"] = httpx2.ConnectError("Connection refused")
    assert type_("show") == (
        6,
        "",
        (
            "error: No answer from http://localhost:8010: Connection refused.\n"
            "       Start it with `signoff up`, or say where it is with --server or SIGNOFF_SERVER.\n"
        ),
    )


@pytest.mark.parametrize(
    ("status", "code", "exit_status"),
    [
        (400, "ambiguous", 2),
        (401, "not_authenticated", 3),
        (403, "cannot_decide", 3),
        (404, "not_found", 2),
        (409, "subject_changed", 3),
        (413, "too_big", 2),
        (422, "not_available_yet", 2),
        (500, "internal_error", 1),
        (502, "bad_gateway", 6),
        (503, "unavailable", 1),
        (504, "timeout", 6),
    ],
)
def test_a_refusal_of_the_server_ends_with_its_status(
    type_: Type, server: FakeServer, status: int, code: str, exit_status: int
) -> None:
    server.routes["GET", "/runs/last"] = problem(status, code, "It is so.", "Do this.", request_id="r1")
    said = type_("show")
    request = "  request r1\n" if status >= 500 else ""
    assert said == (exit_status, "", f"error: It is so.\n       Do this.\n{request}")


def test_with_json_a_refusal_is_a_document_too(type_: Type, server: FakeServer) -> None:
    place = {"message": "approvers must be a list", "hint": "write ['bob']", "file": "s.yaml", "line": 5, "column": 18}
    server.routes["GET", "/runs/last"] = problem(422, "bad_pipeline", "No.", errors=[place], request_id="r1")
    said = type_("show", "--json")
    assert said.status == 2
    assert said.document["code"] == "bad_pipeline"
    assert said.document["errors"][0]["line"] == 5
    assert said.document["request_id"] == "r1"
    assert said.err == "error: No.\n  s.yaml:5:18: approvers must be a list write ['bob']\n"


def test_secrets_are_never_printed(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs/last"] = problem(401, "not_authenticated", "Who are you?")
    said = type_("show", "--json")
    assert "secret" not in said.out + said.err
    assert server.seen[0].headers["Authorization"] == "Bearer secret-of-bob"
