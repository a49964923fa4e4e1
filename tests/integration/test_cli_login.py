"""`signoff login`, `logout` and `whoami`, typed at a real application: what they say, keep, and send."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from factories import CAST
from house import House
from issuer import an_issuer
from signoff.adapters.identity.job_tokens import JobTokens
from signoff.cli import login as command
from signoff.domain.actor import Actor, Credential, Person, Role
from signoff.domain.errors import ConfigurationError, NotAuthenticatedError, UnavailableError
from signoff.outbound import Outbound
from signoff.sdk.ci_job import id_token
from signoff.sdk.client import Client
from signoff.sdk.connection import connect
from signoff.sdk.locate import locate
from signoff.sdk.logins import Logins
from signoff.service import devices
from typist import Type, a_home, a_keyboard  # noqa: F401 - fixtures

URL = "http://localhost:8010"
OTHER = "https://signoff.example"


class MemoryKeyring(KeyringBackend):
    """A keyring that works."""

    priority = 5

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def no_keyring() -> Any:
    """A machine without a keyring, as servers and containers are."""
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def a_keyring() -> MemoryKeyring:
    made = MemoryKeyring()
    keyring.set_keyring(made)
    return made


@pytest.fixture(autouse=True)
def _at_the_house(house: House, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that the command line asks of any server, it asks the house; nobody has run `signoff up` here."""
    (home / "up.json").unlink()
    (home / "credentials" / "bob.session").unlink()
    house.clock.now = datetime.now(UTC)
    client = partial(Client, transport=house.client._transport, sleep=lambda _: None)
    monkeypatch.setattr("signoff.sdk.connection.Client", client)


Wait = Callable[[float], None]


def just_there(house: House) -> Actor:
    """bob, who has just signed in."""
    return replace(house.actor("bob"), authenticated_at=house.clock.now)


@pytest.fixture
def waits(house: House, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the command waited between two questions; bob confirms its code while it waits for the second time."""
    slept: list[float] = []

    def wait(seconds: float) -> None:
        slept.append(seconds)
        house.clock.wait(seconds=seconds)
        if len(slept) == 2:
            with house.database.begin() as tx:
                code = tx.exec_driver_sql("SELECT user_code FROM device_codes WHERE status = 'pending'").scalar_one()
            devices.decide_device(house.desk, just_there(house), code, is_approved=True, address="")

    monkeypatch.setattr(command, "sleep", wait)
    return slept


def kept_files(home: Path) -> list[Path]:
    return sorted((home / "logins").glob("*"))


def test_who_confirms_the_code_is_signed_in_and_every_command_knows_it(
    type_: Type, waits: list[float], home: Path
) -> None:
    said = type_("login", URL)
    assert said.status == 0
    assert "/device?code=" in said.err
    assert "You are bob at http://localhost:8010, until" in said.out
    assert "a file that only you can read" in said.out
    assert waits == [3, 3]
    assert type_("inbox").status == 0
    who = type_("whoami").out
    assert who.startswith("bob (approver, in risk), by session (device)\nuntil 20")
    told = type_("whoami", "--json").document
    assert (told["methods"], told["name"]) == (["device"], "bob")
    with connect() as client:
        assert client.me().name == "bob"
    (file,) = kept_files(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_session_is_kept_in_the_keyring_where_one_works(
    type_: Type, waits: list[float], home: Path, a_keyring: MemoryKeyring
) -> None:
    assert "this machine's keyring" in type_("login", URL).out
    assert waits
    ((where, secret),) = a_keyring.kept.items()
    assert where == ("signoff", URL)
    assert secret.startswith("signoffs_")
    (file,) = kept_files(home)
    assert secret not in file.read_text()
    assert type_("whoami", "-q").out == "bob\n"
    a_keyring.is_locked = True
    said = type_("whoami")
    assert said.status == 3
    assert "keyring of this machine does not give" in said.err
    a_keyring.is_locked = False
    type_("logout")
    assert (a_keyring.kept, kept_files(home)) == ({}, [])


def test_a_keyring_that_fails_is_done_without(
    type_: Type, waits: list[float], home: Path, a_keyring: MemoryKeyring
) -> None:
    a_keyring.is_locked = True
    assert "a file that only you can read" in type_("login", URL).out
    assert waits
    assert type_("whoami", "-q").out == "bob\n"


def test_signing_out_ends_the_session_on_the_server(type_: Type, waits: list[float], home: Path, house: House) -> None:
    assert "You are bob" in type_("login", URL).out
    assert waits
    secret = locate(environment={"SIGNOFF_HOME": str(home)}).token
    said = type_("logout")
    assert (said.status, said.out) == (0, f"Signed out of {URL}.\n")
    assert house.client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert kept_files(home) == []
    again = type_("logout")
    assert (again.status, again.out) == (0, "")
    assert "Nobody is signed in" in again.err
    assert type_("whoami").status == 3


def test_a_server_that_is_away_is_signed_out_of_here_and_told_so(
    type_: Type, waits: list[float], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_("login", URL)
    assert waits

    def away(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    gone = partial(Client, transport=httpx2.MockTransport(away), sleep=lambda _: None)
    monkeypatch.setattr("signoff.sdk.connection.Client", gone)
    said = type_("logout", "--json")
    assert said.document == {"signed_out": []}
    assert "could not be told" in said.err
    assert kept_files(home) == []


def test_a_refusal_in_the_browser_ends_the_command(
    type_: Type, house: House, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(seconds: float) -> None:
        house.clock.wait(seconds=seconds)
        with house.database.begin() as tx:
            code = tx.exec_driver_sql("SELECT user_code FROM device_codes").scalar_one()
        devices.decide_device(house.desk, just_there(house), code, is_approved=False, address="")

    monkeypatch.setattr(command, "sleep", wait)
    said = type_("login", URL)
    assert said.status == 2
    assert "refused in the browser" in said.err
    assert kept_files(home) == []


def test_a_code_that_nobody_confirms_ends_by_itself(
    type_: Type, house: House, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "sleep", lambda seconds: house.clock.wait(seconds=seconds * 50))
    said = type_("login", URL)
    assert said.status == 2
    assert "is over" in said.err
    assert kept_files(home) == []


def test_a_token_is_kept_once_the_server_knows_it(
    type_: Type, home: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = house.secret("alice", Credential.TOKEN)
    said = type_("login", URL, "--token", token)
    assert "You are alice" in said.out
    assert token not in said.out + said.err
    assert "by token (read, submit)" in type_("whoami").out
    monkeypatch.setenv("SIGNOFF_TOKEN", house.secret("dave", Credential.TOKEN))
    assert "SIGNOFF_TOKEN is set" in type_("login", URL, "--token", token).err
    assert type_("whoami", "-q").out == "dave\n"
    monkeypatch.delenv("SIGNOFF_TOKEN")
    type_("logout")
    assert house.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert type_("login", URL, "--token", "nonsense").status == 3
    assert kept_files(home) == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("login", "http://signoff.example"), 3, "has no TLS"),
        (("login", "signoff.example"), 2, "not the address of a server"),
        (("login", URL, "--as", "bob"), 2, "--as does not go with login"),
        (("login", URL, "--ci", "--token", "x"), 2, "do not go together"),
        (("login", URL, "--audience", "x"), 2, "--audience is for --ci"),
        (("login", URL, "--server", OTHER), 2, "Two servers"),
        (("logout", URL, "--all"), 2, "--all and a server"),
        (("login", URL, "--ci"), 3, "no CI job that has an id token"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_asked(
    type_: Type, home: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    found = type_(*words)
    assert (found.status, said in found.err) == (status, True), found.err
    assert kept_files(home) == []


def test_each_server_has_its_own_sign_in_and_the_last_one_is_meant_without_a_name(
    type_: Type, house: House, home: Path
) -> None:
    env = {"SIGNOFF_HOME": str(home)}
    type_("login", URL, "--token", house.secret("alice", Credential.TOKEN))
    type_("login", "http://127.0.0.1:9000", "--token", house.secret("dave", Credential.TOKEN))
    assert locate(environment=env).token == house.secret("dave", Credential.TOKEN)
    assert locate(URL, environment=env).token == house.secret("alice", Credential.TOKEN)
    assert locate(URL + "/", environment=env).server == URL
    assert locate(URL, token="given", environment=env).token == "given"
    assert locate(URL, environment={**env, "SIGNOFF_TOKEN": "of-environment"}).token == "of-environment"
    with pytest.raises(NotAuthenticatedError, match="signoff login"):
        locate(OTHER, environment=env)
    assert type_("logout", "--all", "--json").document == {"signed_out": ["http://127.0.0.1:9000", URL]}


def test_a_secret_goes_to_the_server_that_it_is_of_and_to_no_other(type_: Type, house: House, home: Path) -> None:
    env = {"SIGNOFF_HOME": str(home)}
    type_("login", URL, "--token", house.secret("alice", Credential.TOKEN))
    for other in ("http://localhost:8011", "http://localhost", "https://localhost:8010", OTHER):
        with pytest.raises(NotAuthenticatedError):
            locate(other, environment=env)


def test_a_sign_in_that_is_over_is_told_before_it_is_sent(type_: Type, house: House, home: Path) -> None:
    type_("login", URL, "--token", house.secret("alice", Credential.TOKEN))
    logins = Logins(home)
    (login,) = logins.list()
    logins.keep(replace(login, expires_at=login.kept_at - timedelta(seconds=1), secret="old"))
    said = type_("inbox")
    assert (said.status, "sign-in of alice" in said.err, f"signoff login {URL}" in said.err) == (3, True, True)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"server": "x"}', "\x00"])
def test_a_spoilt_file_counts_as_none(home: Path, content: str) -> None:
    (home / "logins").mkdir()
    Logins(home)._file(URL).write_text(content)
    assert Logins(home).find(URL) is None
    assert Logins(home).list() == []


def test_a_folder_that_cannot_be_written_is_told(home: Path, type_: Type, house: House) -> None:
    (home / "logins").write_text("a file")
    said = type_("login", URL, "--token", house.secret("alice", Credential.TOKEN))
    assert (said.status, "cannot be kept" in said.err) == (2, True)


def test_a_ci_job_signs_in_by_its_id_token_and_submits(
    type_: Type, house: House, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = Person("ci-fraud", frozenset({Role.SUBMITTER}))
    house.people(*CAST, bot)
    house.desk = replace(house.desk, id_tokens=JobTokens(Outbound()))
    _ = house.client
    house.client.app.state.desk = house.desk  # type: ignore[attr-defined]
    workflow = "octo/fraud/.github/workflows/train.yml@refs/heads/main"
    with an_issuer() as issuer:
        options = ["--issuer", issuer.address, "--audience", URL, "--environment", "training"]
        pins = ["--repository-id", "7", "--workflow-ref", workflow, "--person", "ci-fraud", *options]
        erin = ["--server", URL, "--token", house.secret("erin")]
        added = type_("token", "trust", "add", "fraud", *pins, *erin)
        assert (added.status, "submits as ci-fraud" in added.out) == (0, True), added.err
        assert workflow in type_("token", "trust", "list", *erin).out
        now = int(house.clock.now.timestamp())
        claims = {"iss": issuer.address, "aud": URL, "repository_id": "7", "workflow_ref": workflow}
        times = {"iat": now, "exp": now + 300, "jti": "one", "environment": "training"}
        monkeypatch.setenv("SIGNOFF_ID_TOKEN", issuer.token({**claims, **times}))
        said = type_("login", URL, "--ci")
        assert said.status == 0, said.err
        assert type_("whoami").out.startswith("ci-fraud (submitter), by token (submit)")
        assert type_("approve", "last", "--yes").status != 0
        assert "exchanged before" in type_("login", URL, "--ci").err
        assert type_("token", "trust", "remove", "fraud", *erin).status == 0
        assert "No trusted jobs" in type_("token", "trust", "list", *erin).out
    (ended,) = [e for e in house.events() if e.type.value == "trust.removed"]
    assert (ended.actor, ended.detail["trust"]) == ("erin", "fraud")


def test_github_is_asked_for_an_id_token_for_this_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx2.Request] = []

    def github(url: str, **more: Any) -> httpx2.Response:
        request = httpx2.Request("GET", url, params=more["params"], headers=more["headers"])
        seen.append(request)
        return httpx2.Response(200, json={"value": "the-token"}, request=request)

    monkeypatch.setattr(httpx2, "get", github)
    env = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example/x?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "b"}
    assert id_token(OTHER, env) == "the-token"
    assert dict(seen[0].url.params) == {"api-version": "2", "audience": OTHER}
    assert seen[0].headers["authorization"] == "bearer b"


@pytest.mark.parametrize(
    "answer", [httpx2.Response(403), httpx2.Response(200, json={}), httpx2.Response(200, text="x")]
)
def test_github_that_gives_no_id_token_is_told(monkeypatch: pytest.MonkeyPatch, answer: httpx2.Response) -> None:
    answer.request = httpx2.Request("GET", "https://ci.example/")
    monkeypatch.setattr(httpx2, "get", lambda *_, **__: answer)
    env = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "b"}
    with pytest.raises(UnavailableError):
        id_token(OTHER, env)


def test_an_id_token_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("from-file\n")
    assert id_token(OTHER, {"SIGNOFF_ID_TOKEN_FILE": str(tmp_path / "t")}) == "from-file"
    with pytest.raises(ConfigurationError):
        id_token(OTHER, {"SIGNOFF_ID_TOKEN_FILE": "/nowhere"})
