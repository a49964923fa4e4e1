"""A command line that can be typed at, before a server that remembers: for the tests of `signoff.cli`.

A test module imports the four fixtures by their own names (`a_home`, `a_keyboard`, `a_server`, `a_terminal`) and asks
for them by the names that they give themselves.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from fake_server import FakeServer, me, run
from signoff.cli.app import main
from signoff.sdk.client import Client

GOOD = """\
steps:
  - name: train_model
    type: training
  - name: approve_model
    type: approval
    inputs:
      approvers: ['bob']
"""
BAD = GOOD.replace("['bob']", "'bob'")
TRAINS = GOOD.replace("type: training", "type: training\n    inputs:\n      run: python train.py")


class Said(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Type = Callable[..., Said]


def plain(text: str) -> str:
    """What a terminal shows, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.fixture(name="server")
def a_server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """Everything that the command line asks of any server."""
    made = FakeServer({("GET", "/me"): me(), ("GET", "/runs/last"): run(), ("GET", "/runs/abc123"): run()})
    client = partial(Client, transport=httpx2.MockTransport(made), sleep=lambda _: None)
    monkeypatch.setattr("signoff.sdk.connection.Client", client)
    return made


@pytest.fixture(name="home")
def a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with bob signed in on this machine."""
    for name in ("SIGNOFF_SERVER", "SIGNOFF_TOKEN", "SIGNOFF_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    made = tmp_path / "home"
    (made / "credentials").mkdir(parents=True)
    (made / "credentials" / "bob.session").write_text("secret-of-bob")
    (made / "up.json").write_text(json.dumps({"url": "http://localhost:8010", "pid": 1, "person": "bob"}))
    monkeypatch.setenv("SIGNOFF_HOME", str(made))
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    return made


@pytest.fixture(name="type_")
def a_keyboard(home: Path, capsys: pytest.CaptureFixture[str]) -> Type:
    """Type a command; what it said."""

    def typed(*words: str) -> Said:
        capsys.readouterr()
        status = main(words)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return typed


@pytest.fixture(name="answers")
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Be at a terminal and give these answers."""

    def given(*lines: str) -> None:
        monkeypatch.setattr("signoff.cli.screen.is_terminal", lambda _: True)
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return given
