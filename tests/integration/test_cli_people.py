"""`signoff user`, `group` and `token`, typed at a real server: what they say, with --json, -q and when refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from factories import BOB, CAROL
from house import House
from signoff.cli.app import main
from signoff.sdk.client import Client

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command as somebody; its status, what it said, and what it complained of."""
    client = partial(Client, transport=house.client._transport, sleep=lambda _: None)
    monkeypatch.setattr("signoff.sdk.connection.Client", client)
    monkeypatch.setenv("SIGNOFF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")

    def typing(*words: str, who: str = "erin") -> tuple[int, str, str]:
        monkeypatch.setenv("SIGNOFF_TOKEN", house.secret(who))
        capsys.readouterr()
        status = main(words)
        said = capsys.readouterr()
        return status, said.out, said.err

    return typing


def document(said: tuple[int, str, str]) -> Any:
    assert said[0] == 0, said
    return json.loads(said[1])


def test_a_person_is_added_with_a_link_changed_shown_and_listed(typed: Typed) -> None:
    status, out, _ = typed("user", "add", "frank", "--role", "approver", "--group", "risk", "--models", "fraud-*")
    assert status == 0
    assert "✔ frank is approver." in out
    assert "This link lets them choose a password; it works once, until 2026-11-09 12:00 UTC." in out
    assert "http://testserver/link?code=signoffl_" in out
    assert typed("user", "change", "frank", "--role", "auditor", "--role", "approver", "--email", "f@x.org")[0] == 0
    shown = typed("user", "show", "frank")[1]
    assert "frank  approver, auditor no password yet" in shown
    assert "groups risk" in shown
    assert "acts on fraud-*" in shown
    assert "address f@x.org" in shown
    found = {person["name"]: person for person in document(typed("user", "list", "--json"))["items"]}
    assert found["frank"]["roles"] == ["approver", "auditor"]
    assert "frank" in typed("user", "list", "-q")[1].split()
    assert "bob" in typed("user", "list")[1]
    assert document(typed("user", "change", "frank", "--no-roles", "--no-groups", "--json"))["roles"] == []
    link = typed("user", "reset", "frank", "-q")[1].strip()
    assert link.startswith("http://testserver/link?code=")
    assert document(typed("user", "reset", "frank", "--json"))["purpose"] == "invite"
    assert document(typed("user", "add", "gina", "--json"))["link"]["person"] == "gina"


def test_slips_are_told_with_what_was_meant(typed: Typed) -> None:
    status, _, err = typed("user", "add", "frank", "--role", "aprover")
    assert (status, err) == (2, "error: 'aprover' is not a role.\n       Did you mean approver?\n")
    status, _, err = typed("user", "change", "bob")
    assert (status, err.splitlines()[0]) == (2, "error: Nothing to change was given.")
    status, _, err = typed("user", "add", "x" * 101)
    assert (status, err.splitlines()[0]) == (2, "error: name: String should have at most 100 characters.")
    status, _, err = typed("token", "create", "x", "--scope", "root")
    assert (status, err.splitlines()[0]) == (2, "error: 'root' is not a scope.")
    status, _, err = typed("token", "create", "x", "--days", "400")
    assert (status, err.splitlines()[0]) == (2, "error: --days 400 cannot be.")
    status, _, err = typed("user", "show", "nobody")
    assert (status, err.splitlines()[0]) == (2, "error: nobody is not known to this server.")
    status, _, err = typed("user", "deactivate", "bob", who="dave")
    assert (status, err.splitlines()[0]) == (3, "error: dave may not administer.")


def test_somebody_is_shut_out_and_let_in_again(typed: Typed) -> None:
    assert typed("user", "deactivate", "dave")[1] == (
        "dave is deactivated; their sessions and tokens are good for nothing.\n"
    )
    assert typed("whoami", who="dave")[0] == 3
    assert "deactivated" in typed("user", "show", "dave")[1]
    assert document(typed("user", "activate", "dave", "--json"))["is_active"]


def test_accounts_are_joined_and_parted(typed: Typed) -> None:
    assert typed("user", "link", "alice", "dave")[1] == "alice, dave are one person from now on.\n"
    assert "the same person as dave" in typed("user", "show", "alice")[1]
    assert typed("user", "unlink", "dave")[1] == "dave is nobody else's second account any more.\n"
    assert document(typed("user", "link", "alice", "dave", "--json"))["linked"] == ["dave"]


def test_models_are_made_private_and_not(typed: Typed) -> None:
    assert typed("user", "private")[1] == "No model is private.\n"
    assert typed("user", "private", "fraud-*", "hr-*")[1] == "Private: fraud-*, hr-*\n"
    assert typed("user", "private", "-q")[1].split() == ["fraud-*", "hr-*"]
    assert document(typed("user", "private", "--none", "--json")) == {"private": []}


def test_groups_are_filled_and_emptied(typed: Typed) -> None:
    assert typed("group", "add", "product")[1] == "product: nobody\n"
    assert typed("group", "add", "product", "bob", "dave")[1] == "product: bob, dave\n"
    assert "product" in typed("group", "list", "-q")[1].split()
    assert "bob, dave" in typed("group", "list")[1]
    assert typed("group", "remove", "product", "dave")[1] == "product: bob\n"
    status, _, err = typed("group", "remove", "product")
    assert (status, err.splitlines()[0]) == (3, "error: bob is in product.")
    assert document(typed("group", "remove", "product", "bob", "--json"))["members"] == []
    assert typed("group", "remove", "product")[1] == "The group product is gone.\n"
    assert document(typed("group", "list", "--json"))["items"] == [
        {"name": "risk", "members": [BOB.name, CAROL.name]},
    ]


def test_a_token_is_made_shown_once_listed_and_revoked(typed: Typed) -> None:
    secret = typed("token", "create", "ci", "-q", who="alice")[1].strip()
    assert secret.startswith("signoff_")
    said = typed("token", "create", "reader", "--scope", "read", "--days", "7", who="alice")[1]
    assert "✔ reader of alice: read, until 2026-11-09" in said
    listed = document(typed("token", "list", "--json", who="alice"))["items"]
    assert {token["name"] for token in listed} >= {"ci", "reader"}
    table = typed("token", "list", who="alice")[1]
    assert "never" in table
    assert secret not in table
    token_id = next(token["id"] for token in listed if token["name"] == "ci")
    assert token_id in typed("token", "list", "-q", "--person", "alice")[1]
    assert typed("token", "revoke", token_id)[1] == "The token ci of alice is good for nothing any more.\n"
    made = document(
        typed("token", "create", "n", "--person", "bob", "--scope", "decide", "--automation", "canary", "--json")
    )
    assert made["automation"] == "canary"
    assert "decide as canary" in typed("token", "list", "--all")[1]


def test_sessions_are_listed_and_ended(typed: Typed, house: House) -> None:
    from signoff.service.sessions import open_session

    for _ in range(2):
        open_session(house.desk, "bob", ["oidc"], address="192.0.2.1", agent="a browser")
    assert "(this one)" in typed("user", "sessions", who="bob")[1]
    ids = typed("user", "sessions", "-q", who="bob")[1].split()
    assert len(ids) == 3
    assert typed("user", "sessions", "--end", ids[0], who="bob")[1] == f"The session {ids[0]} of bob is over.\n"
    assert typed("user", "sessions", "--end-others", who="bob")[1] == "1 other session ended.\n"
    assert len(document(typed("user", "sessions", "bob", "--json"))["items"]) == 1
