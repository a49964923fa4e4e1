from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from fake_server import NOON, FakeServer, environment, problem
from signoff.wire.body import Page, Place
from signoff.wire.environments import AppliedBody, EnvironmentVersionBody
from typist import Type, a_home, a_keyboard, a_server  # noqa: F401 - fixtures

FILE = "environments: {production: {deployer: {type: alias}}}\n"


@pytest.fixture(autouse=True)
def a_file(home: Path) -> None:
    Path("environments.yaml").write_text(FILE)


def test_applying_a_file_says_what_changed(type_: Type, server: FakeServer) -> None:
    server.routes["PUT", "/environments"] = AppliedBody(
        changes=["production: rule risk now asks for 2 instead of 1"], gates=["approve of run abc123"]
    )
    said = type_("environment", "apply", "-f", "environments.yaml")
    assert said.status == 0
    assert said.out.splitlines() == [
        "production: rule risk now asks for 2 instead of 1",
        "  approve of run abc123 is asked by the new rules from now on",
    ]
    assert server.body("PUT", "/environments") == {
        "document": FILE,
        "filename": "environments.yaml",
        "force": False,
    }


def test_applying_what_is_there_says_that_nothing_changed(type_: Type, server: FakeServer) -> None:
    server.routes["PUT", "/environments"] = AppliedBody()
    assert type_("environment", "apply", "-f", "environments.yaml").out == "Nothing changed.\n"


def test_what_the_server_warns_of_is_said(type_: Type, server: FakeServer) -> None:
    warning = Place(message="rule risk: group risk is empty", hint="ask", file="e.yaml", line=4, column=2)
    server.routes["PUT", "/environments"] = AppliedBody(changes=["production is new"], warnings=[warning])
    said = type_("environment", "apply", "-f", "environments.yaml")
    assert said.err == "e.yaml:4:2: warning: rule risk: group risk is empty (ask)\n"


def test_what_was_forced_is_said(type_: Type, server: FakeServer) -> None:
    why = "production cannot be removed: fraud v1 is live there."
    server.routes["PUT", "/environments"] = AppliedBody(changes=["production is removed"], despite=[why])
    said = type_("environment", "apply", "-f", "environments.yaml", "--force")
    assert f"forced, although: {why}" in said.out
    assert server.body("PUT", "/environments")["force"] is True
    document = type_("environment", "apply", "-f", "environments.yaml", "--force", "--json").document
    assert document["despite"] == [why]


def test_a_refusal_names_the_gate_and_ends_with_refused(type_: Type, server: FakeServer) -> None:
    what = "The gate approve of run abc123 could never be approved: risk needs 3 approvals."
    server.routes["PUT", "/environments"] = problem(409, "stuck_gate", what, "Or apply it all the same: --force.")
    said = type_("environment", "apply", "-f", "environments.yaml")
    assert (said.status, said.err) == (3, f"error: {what}\n       Or apply it all the same: --force.\n")


def test_a_wrong_file_is_shown_with_caret_and_hint_and_not_sent(type_: Type, server: FakeServer) -> None:
    Path("environments.yaml").write_text("environments:\n  production: {freeze: soon}\n")
    said = type_("environment", "apply", "-f", "environments.yaml")
    assert said.status == 2
    assert said.err.startswith(
        "environments.yaml:2:24: freeze must be a list of windows, not a single string\n"
        "    2 |   production: {freeze: soon}\n"
        "      |                        ^^^^ write ['soon']\n"
    )
    assert server.seen == []
    document = type_("environment", "apply", "-f", "environments.yaml", "--json").document
    assert [(e["line"], e["column"]) for e in document["errors"]] == [(2, 24)]


def test_a_file_that_is_not_there_is_named(type_: Type) -> None:
    said = type_("environment", "apply", "-f", "nowhere.yaml")
    assert (said.status, said.err.splitlines()[0]) == (
        2,
        "error: nowhere.yaml cannot be read: No such file or directory.",
    )


def test_the_history_is_told_newest_first(type_: Type, server: FakeServer) -> None:
    versions = [
        EnvironmentVersionBody(number=2, by="erin", at=NOON, changes=["production: rule risk is gone"]),
        EnvironmentVersionBody(number=1, by="system", at=NOON, changes=["production is new"]),
    ]
    server.routes["GET", "/environments/production/history"] = Page[EnvironmentVersionBody](items=versions)
    lines = type_("environment", "show", "production", "--history").out.splitlines()
    assert [line.split(",")[0].strip() for line in lines] == [
        "2  erin",
        "production: rule risk is gone",
        "1  system",
        "production is new",
    ]
    document = type_("environment", "show", "production", "--history", "--json").document
    assert [item["number"] for item in document["items"]] == [2, 1]


def test_a_freeze_and_the_glass_are_shown(type_: Type, server: FakeServer) -> None:
    found = environment().model_copy(
        update={
            "name": "production",
            "frozen": "production is frozen until the end of 2027-01-04 UTC, year end",
            "freeze": [{"from": "2026-12-20T00:00:00Z", "until": "2027-01-05T00:00:00Z", "reason": "year end"}],
            "break_glass": {
                "approvers": ["group:leads"],
                "required_approvals": 2,
                "expires_seconds": 86400.0,
                "on_expiry": "escalate",
            },
        }
    )
    server.routes["GET", "/environments/production"] = found
    server.routes["GET", "/environments"] = httpx2.Response(
        200, json={"items": [found.model_dump(mode="json")], "next": None}
    )
    shown = type_("environment", "show", "production").out
    assert "production is frozen until the end of 2027-01-04 UTC, year end" in shown
    assert "frozen from 2026-12-20T00:00:00Z until 2027-01-05T00:00:00Z: year end" in shown
    assert "glass broken by 2 of group:leads; reviewed within 24 h, else escalate" in shown
    assert "production is frozen until" in type_("environment", "list").out
