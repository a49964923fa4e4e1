"""Streams do not end by themselves: nobody has more than their share of them, or reads on after they may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.security import HTTPAuthorizationCredentials

from factories import CAST
from house import House, made, refused
from page_browser import Browser
from signoff.api import runs
from signoff.domain.account_errors import TooManyAttemptsError
from signoff.service.sessions import authenticate
from signoff.service.streams import MOST, Streams


@dataclass
class Reader:
    """A request that is never given up."""

    app: Any

    async def is_disconnected(self) -> bool:
        return False


def following(house: House, who: str, run_id: str) -> AsyncIterator[Any]:
    """What `who` reads of the run, as it happens; looked at again all the time."""
    secret = house.secret(who)
    bearer = HTTPAuthorizationCredentials(scheme="Bearer", credentials=secret)
    reader: Any = Reader(SimpleNamespace(state=house.client.app.state))  # type: ignore[attr-defined]
    return runs.follow_run(run_id, reader, house.desk, authenticate(house.desk, secret), bearer)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(runs, "_ASKED_AGAIN_SECONDS", 0.0)


async def read_all(stream: AsyncIterator[Any], then: Any, *, after: int) -> list[str]:
    """The types of what comes; `then` happens after so many."""
    said = []
    async for event in stream:
        said.append(event.event)
        if len(said) == after:
            await asyncio.to_thread(then)
    return said


@pytest.mark.parametrize("how", ["deactivated", "session ended", "model made private"])
def test_a_stream_ends_when_its_reader_may_read_no_more(house: House, how: str) -> None:
    house.people(*(replace(p, models=("fraud-*",)) if p.name != "dave" else p for p in CAST))
    run_id = house.submit()
    erin, told = house.as_("erin"), len(house.types(run_id))

    def end() -> None:
        if how == "deactivated":
            made(erin.post("/users/dave/deactivate", {}))
        elif how == "session ended":
            [one] = made(erin.get("/sessions?person=dave"))["items"]
            made(erin.delete(f"/sessions/{one['id']}"))
        else:
            made(erin.ask("PUT", "/private-models", json={"private": ["fraud-*"]}))
        made(house.as_("alice").post(f"/runs/{run_id}/comments", {"body": "not for dave"}))

    said = asyncio.run(asyncio.wait_for(read_all(following(house, "dave", run_id), end, after=told), 30))
    assert said == house.types(run_id)[:told]
    assert house.types(run_id)[told:] == ["run.commented"]
    assert not house.client.app.state.streams._open  # type: ignore[attr-defined]


def test_a_stream_keeps_no_session_from_growing_idle(house: House) -> None:
    secret = house.secret("bob")
    with house.unchanged():
        seen = last_seen(house)
        house.clock.wait(minutes=10)
        authenticate(house.desk, secret, is_use=False)
        assert last_seen(house) == seen
        authenticate(house.desk, secret)
        assert last_seen(house) != seen


def last_seen(house: House) -> Any:
    with house.database.begin() as tx:
        return tx.exec_driver_sql("SELECT max(last_seen_at) FROM sessions WHERE person = 'bob'").scalar_one()


def test_one_person_follows_so_much_and_no_more_and_keeps_nobody_else_out(house: House) -> None:
    run_id = house.submit()
    streams: Streams = house.client.app.state.streams  # type: ignore[attr-defined]
    held = [streams.one_more("dave") for _ in range(MOST)]
    for one in held:
        one.__enter__()
    try:
        answer = house.as_("dave").get(f"/runs/{run_id}/events")
        assert "dave follows 50 streams at a time" in refused(answer, 429, "too_many_attempts")
        assert answer.headers["retry-after"] == "60"
        browser = Browser(house).sign_in("dave")
        for path in ("/live", f"/runs/{run_id}/live"):
            assert browser.get(path).status_code == 429, path
        streams.check("bob")
    finally:
        for one in held:
            one.__exit__(None, None, None)
    streams.check("dave")
    assert not streams._open


def test_what_is_counted_ends_with_the_stream_however_it_ends() -> None:
    streams = Streams()
    held = [streams.one_more("dave") for _ in range(MOST - 1)]
    for one in held:
        one.__enter__()
    with streams.one_more("dave"), pytest.raises(TooManyAttemptsError):
        streams.check("dave")
    last = streams.one_more("dave")
    last.__enter__()
    assert not last.__exit__(KeyError, KeyError(), None)
    streams.check("dave")
