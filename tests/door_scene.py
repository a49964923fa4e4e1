"""A door whose hashing is cheap, and the ways to knock at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from house import House
from signoff.domain.actor import Actor
from signoff.domain.errors import SignoffError
from signoff.service import accounts, passwords, sessions
from signoff.service.accounts import MadeLink

GOOD = "four words in a row"


HERE: dict[str, Any] = {"address": "192.0.2.7", "agent": "a browser"}


class Cheap:
    """Stands in for argon2id where its cost is not what a test is about."""

    def __init__(self) -> None:
        self.verified = 0

    def hash(self, password: str) -> str:
        return f"cheap:{password}"

    def verify_and_update(self, password: str, known: str) -> tuple[bool, str | None]:
        self.verified += 1
        return known == f"cheap:{password}", None


@pytest.fixture(name="cheap", autouse=True)
def a_cheap_hash(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cheap]:
    stand_in = Cheap()
    monkeypatch.setattr(passwords, "hasher", lambda: stand_in)
    passwords._nobodys_hash.cache_clear()
    yield stand_in
    passwords._nobodys_hash.cache_clear()


def code(link: MadeLink | None) -> str:
    assert link is not None
    return parse_qs(urlsplit(link.url).query)["code"][0]


def with_password(house: House, name: str, password: str = GOOD) -> str:
    """Let `name` choose a password by an invitation; the session that gives."""
    link = accounts.make_link(house.desk, house.actor("erin"), name)
    return accounts.use_link(house.desk, code(link), password, **HERE)


def sign_in(house: House, name: str, password: str = GOOD, address: str = "192.0.2.7") -> Actor:
    return sessions.authenticate(house.desk, sessions.sign_in(house.desk, name, password, address=address, agent="it"))


def why(error: SignoffError) -> str:
    return f"{error.what} {error.hint}"
