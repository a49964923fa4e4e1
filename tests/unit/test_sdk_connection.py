"""Which server and which credential the client takes, and from where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signoff.domain.errors import (
    ConfigurationError,
    InvalidError,
    NotAllowedError,
    NotAuthenticatedError,
)
from signoff.sdk.locate import locate


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "credentials").mkdir()
    for name in ("alice", "bob"):
        (tmp_path / "credentials" / f"{name}.session").write_text(f"secret-of-{name}\n")
    return tmp_path


def up(home: Path, person: str | None = "alice", url: str = "http://localhost:9999") -> None:
    (home / "up.json").write_text(json.dumps({"url": url, "pid": 1, "person": person}))


def test_what_up_left_names_server_and_person(home: Path) -> None:
    up(home)
    found = locate(environment={"SIGNOFF_HOME": str(home)})
    assert (found.server, found.token) == ("http://localhost:9999", "secret-of-alice")


def test_a_person_named_wins_over_the_token_of_the_environment(home: Path) -> None:
    up(home)
    env = {"SIGNOFF_HOME": str(home), "SIGNOFF_TOKEN": "t"}
    assert locate(person="bob", environment=env).token == "secret-of-bob"
    assert locate(environment=env).token == "t"
    assert locate(token="mine", environment=env).token == "mine"


def test_the_address_given_wins_over_the_environment_and_that_over_what_up_left(home: Path) -> None:
    up(home)
    env = {"SIGNOFF_HOME": str(home), "SIGNOFF_SERVER": "http://localhost:2"}
    assert locate("http://localhost:1/", environment=env).server == "http://localhost:1"
    assert locate(environment=env).server == "http://localhost:2"
    assert locate(environment={"SIGNOFF_HOME": str(home)}).server == "http://localhost:9999"


def test_a_token_may_stand_in_a_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("from-file\n")
    env = {"SIGNOFF_HOME": str(home), "SIGNOFF_TOKEN_FILE": str(tmp_path / "t")}
    assert locate(environment=env).token == "from-file"
    with pytest.raises(ConfigurationError, match="SIGNOFF_TOKEN_FILE points to /nowhere, which cannot be read"):
        locate(environment={**env, "SIGNOFF_TOKEN_FILE": "/nowhere"})


def test_a_session_of_this_machine_is_not_sent_to_another_one(home: Path) -> None:
    up(home)
    env = {"SIGNOFF_HOME": str(home)}
    with pytest.raises(NotAllowedError, match="The session of bob belongs to this machine's server"):
        locate("https://elsewhere.example", person="bob", environment=env)
    with pytest.raises(NotAuthenticatedError, match=r"There is no credential for https://elsewhere\.example"):
        locate("https://elsewhere.example", environment=env)
    assert locate("https://elsewhere.example", token="t", environment=env).token == "t"


def test_a_session_is_sent_to_the_address_that_up_itself_gave(home: Path) -> None:
    up(home, url="https://signoff.example")
    assert locate(environment={"SIGNOFF_HOME": str(home)}).token == "secret-of-alice"


def test_without_any_credential_the_refusal_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        locate(environment={"SIGNOFF_HOME": str(tmp_path)})
    assert refused.value.what == "There is no credential for http://localhost:8010."
    assert refused.value.hint.startswith("`signoff up` starts a server on this machine and signs you in;")


def test_an_unknown_person_is_told_who_is_known(home: Path) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        locate(person="dave", environment={"SIGNOFF_HOME": str(home)})
    assert refused.value.what == "dave has no session on this machine."
    assert "alice, bob" in refused.value.hint


@pytest.mark.parametrize("name", ["../alice", "a/b", "."])
def test_a_person_is_a_name_and_no_path(home: Path, name: str) -> None:
    with pytest.raises(InvalidError, match="is not a person's name"):
        locate(person=name, environment={"SIGNOFF_HOME": str(home)})


@pytest.mark.parametrize("address", ["localhost:8010", "ftp://x", "http://", ""])
def test_an_address_must_be_one(home: Path, address: str) -> None:
    if address:
        with pytest.raises(InvalidError, match="is not the address of a server"):
            locate(address, token="t", environment={"SIGNOFF_HOME": str(home)})
    else:
        assert locate(address, token="t", environment={"SIGNOFF_HOME": str(home)}).server == "http://localhost:8010"


def test_token_and_person_together_are_refused(home: Path) -> None:
    with pytest.raises(InvalidError, match="Both a token and a person"):
        locate(token="t", person="bob", environment={"SIGNOFF_HOME": str(home)})


def test_secrets_show_in_no_repr(home: Path) -> None:
    assert "secret-of-bob" not in repr(locate(person="bob", environment={"SIGNOFF_HOME": str(home)}))
