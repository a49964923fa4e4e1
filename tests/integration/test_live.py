"""Live pages hear of what is committed, once, over one connection."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
import pytest

from house import House
from page_browser import Browser
from signoff.domain.errors import UnavailableError
from signoff.service import views
from signoff.store.listening import Heard, Listening
from signoff.web.live import EVERYTHING, Hub

T = TypeVar("T")


def apart(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, in a thread of its own: a browser that this process drives keeps a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
def heard(house: House) -> Iterator[queue.Queue[Heard | None]]:
    told: queue.Queue[Heard | None] = queue.Queue()
    listening = Listening(house.database_url, told.put)
    listening.start()
    assert listening.wait_until_it_listens(10)
    yield told
    listening.stop()


def until(told: queue.Queue[Heard | None], wanted: Callable[[Heard], bool]) -> Heard:
    while True:
        found = told.get(timeout=10)
        if found is not None and wanted(found):
            return found


def test_every_audit_event_is_heard_when_it_is_committed(house: House, heard: queue.Queue[Heard | None]) -> None:
    run = house.submit()
    opened = until(heard, lambda found: found.type == "gate.opened")
    event = next(event for event in house.events(run) if event.type == "gate.opened")
    assert (opened.index, opened.run_id, opened.model) == (event.index, run, "fraud-detector")


def test_what_is_rolled_back_is_not_heard(house: House, heard: queue.Queue[Heard | None]) -> None:
    with psycopg.connect(house.database_url) as connection:
        connection.execute("INSERT INTO audit_events (type, actor, at, detail) VALUES ('run.failed', 'x', now(), '{}')")
        connection.rollback()
    run = house.submit()
    first = heard.get(timeout=10)
    assert first is not None
    assert (first.type, first.run_id) == (house.events(run)[0].type, run)


def test_a_broken_connection_is_made_again_and_the_gap_is_told(house: House, heard: queue.Queue[Heard | None]) -> None:
    with psycopg.connect(house.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    assert heard.get(timeout=10) is None
    house.submit()
    assert until(heard, lambda found: found.type == "gate.opened").run_id is not None


def hub_of(house: House) -> Hub:
    return Hub(lambda tell: Listening(house.database_url, tell))


async def next_change(stream: AsyncIterator[str]) -> str:
    async for said in stream:
        if "event: changed" in said:
            return said
    raise AssertionError("the stream ended")


def test_a_page_of_a_run_is_told_once_of_what_happens_together(house: House) -> None:
    run, other = house.submit(), house.submit()
    hub = hub_of(house)

    async def follow() -> tuple[str, str, int]:
        mine, lists = hub.follow(run, ping=0.05), hub.follow(EVERYTHING, ping=0.05)
        hello = await anext(mine)
        await anext(lists)
        assert hub._listening is not None
        await asyncio.to_thread(hub._listening.wait_until_it_listens, 10)
        await asyncio.to_thread(house.decide, "bob", other, "approve")
        assert "still here" in await anext(mine)
        await asyncio.to_thread(house.decide, "bob", run, "approve")
        told = await asyncio.wait_for(next_change(mine), 10)
        followers = hub.followers
        await mine.aclose()
        await lists.aclose()
        return hello, told, followers

    hello, told, followers = apart(follow())
    hub.stop()
    assert "event: hello" in hello
    assert told.startswith(f"id: {house.events(run)[-1].index}\n")
    assert (followers, hub.followers) == (2, 0)


def test_a_page_that_missed_something_is_told_at_once(house: House) -> None:
    hub = hub_of(house)

    async def first(last: int, newest: int) -> str:
        stream = hub.follow("run", last=last, newest=lambda: newest)
        said = await anext(stream)
        await stream.aclose()
        return said

    async def three() -> list[str]:
        return [await first(3, 7), await first(7, 7), await first(0, 7)]

    missed, knew, new = apart(three())
    hub.stop()
    assert "event: changed" in missed
    assert "event: hello" in knew
    assert "event: hello" in new


def test_a_stream_ends_so_that_the_browser_is_asked_again_who_it_is(house: House) -> None:
    hub = hub_of(house)

    async def all_of_it() -> list[str]:
        return [said async for said in hub.follow("run", stays=0.1, ping=0.05)]

    said = apart(all_of_it())
    hub.stop()
    assert len(said) >= 2
    assert hub.followers == 0


def test_what_is_committed_between_a_page_and_its_stream_is_told(house: House) -> None:
    """Whatever the moment: before the stream asks what there is, or while it does."""
    run, other = house.submit(), house.submit()
    bob = house.actor("bob")
    shown = views.settled_event(house.desk, bob)
    house.decide("bob", run, "approve")
    hub = hub_of(house)

    def newest() -> int:
        there = views.newest_event(house.desk, bob)
        house.decide("bob", other, "approve")
        return there

    async def follow() -> list[str]:
        stream = hub.follow(EVERYTHING, last=shown, newest=newest, ping=0.05)
        told = [await anext(stream), await asyncio.wait_for(next_change(stream), 10)]
        await stream.aclose()
        return told

    first, then = apart(follow())
    hub.stop()
    assert first.splitlines()[2] == "event: changed"
    assert then.startswith(f"id: {house.events(other)[-1].index}\n")


def test_a_page_promises_nothing_that_is_still_being_written(house: House) -> None:
    bob = house.actor("bob")
    house.submit()
    before = views.settled_event(house.desk, bob)
    assert before == views.newest_event(house.desk, bob)
    with psycopg.connect(house.database_url) as slow:
        slow.execute("INSERT INTO audit_events (type, actor, at, detail) VALUES ('run.failed', 'x', now(), '{}')")
        house.submit()
        assert views.settled_event(house.desk, bob) == before
        assert views.newest_event(house.desk, bob) > before
        slow.commit()
    assert views.settled_event(house.desk, bob) == views.newest_event(house.desk, bob)


def test_a_stream_that_cannot_ask_what_there_is_has_the_page_look(house: House) -> None:
    hub = hub_of(house)

    def away() -> int:
        raise UnavailableError("The database is away.", "Wait.")

    async def first() -> str:
        stream = hub.follow(EVERYTHING, last=7, newest=away)
        said = await anext(stream)
        await stream.aclose()
        return said

    said = apart(first())
    hub.stop()
    assert "event: changed" in said
    assert "id:" not in said


@pytest.mark.parametrize("path", ["/", "/runs", "/models", "/models/fraud-detector", "/deployments", "/audit"])
def test_every_live_list_says_up_to_which_event_it_shows_everything(house: House, path: str) -> None:
    house.submit()
    page = Browser(house).sign_in("erin").get(path)
    newest = views.newest_event(house.desk, house.actor("erin"))
    assert f'data-live="/live" data-live-last="{newest}"' in page.text
