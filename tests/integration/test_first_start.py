"""The first start: the link that makes the first administrator, and what a server that others reach asks for."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from house import House
from signoff.bootstrap.people import check_identity, current_person, read_administration
from signoff.domain.errors import ConfigurationError
from signoff.server.stack import _show_first_link
from signoff.server.state import is_loopback
from signoff.service import passwords, sessions
from signoff.service.accounts import use_link
from signoff.settings import Settings


@pytest.fixture
def fresh(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A server that has just been started for the first time."""

    class Cheap:
        def hash(self, password: str) -> str:
            return f"cheap:{password}"

    monkeypatch.setattr(passwords, "hasher", Cheap)
    with house.database.begin() as tx:
        tx.exec_driver_sql("DELETE FROM documents WHERE name = 'people'")
    read_administration(Settings(home=tmp_path), house.desk)
    return house


def test_the_link_is_printed_until_an_administrator_can_sign_in_and_never_logged(
    fresh: House, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _show_first_link(fresh.desk)
    _show_first_link(fresh.desk)
    said = capsys.readouterr().err
    assert said.startswith(
        f"Nobody can sign in with a browser yet. This link lets {current_person()} sign in as administrator; it works "
        "once, until 2026-11-03 12:00 UTC:\n  http://testserver/link?code=signoffl_"
    )
    first, second = re.findall(r"http://\S+", said)
    assert first != second
    assert "signoffl_" not in caplog.text
    secret = parse_qs(urlsplit(second).query)["code"][0]
    actor = sessions.authenticate(fresh.desk, use_link(fresh.desk, secret, "four words in a row"))
    assert actor.name == current_person()
    _show_first_link(fresh.desk)
    assert capsys.readouterr().err == ""


def test_a_server_that_others_reach_takes_an_administrator_who_can_sign_in(
    fresh: House, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        check_identity(fresh.desk, "0.0.0.0")  # noqa: S104 - said, not listened on
    assert str(refusal.value) == (
        "0.0.0.0 can be reached by others, and no administrator can sign in yet. Start once on 127.0.0.1 (the "
        "default), open the link that it prints, and choose a password there."
    )
    _show_first_link(fresh.desk)
    secret = parse_qs(urlsplit(capsys.readouterr().err.split()[-1]).query)["code"][0]
    use_link(fresh.desk, secret, "four words in a row")
    check_identity(fresh.desk, "0.0.0.0")  # noqa: S104 - likewise


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.0.0.9", True), ("192.0.2.1", False), ("::", False)],
)
def test_what_is_loopback_is_known_by_the_address(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it


@pytest.mark.parametrize("host", ["example.org", "", "127.0.0.1:80", "localhost.evil.example"])
def test_a_name_is_no_address_to_listen_on(host: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an address to listen on"):
        is_loopback(host)
