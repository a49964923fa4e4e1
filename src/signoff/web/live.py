"""Live pages: every open page of this process follows changes over one listening connection.

A page is told only *that* something changed, and fetches what it shows once more: no rule and no row is repeated here.
What a page has not taken yet is one number, so that a thousand open pages cost a thousand small objects.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from signoff.domain.errors import UnavailableError
from signoff.store.listening import Heard, Listening

EVERYTHING = "*"
"""The topic of lists: whatever happens anywhere."""
STAYS = 15 * 60.0
"""Seconds that one stream lasts; the browser comes back, and is asked again who it is."""
_PING_EVERY = 15.0
_PATIENCE = 5.0
_AT_MOST_EVERY = 0.3
_OF_LISTS_AT_MOST_EVERY = 2.0


@dataclass(eq=False, slots=True)
class _Follower:
    """One open page: the newest index that it has not been told, and what wakes it."""

    topic: str
    wakes: asyncio.Event = field(default_factory=asyncio.Event)
    newest: int = 0
    has_gap: bool = False


class Hub:
    """Who follows what. Made once for an application; it listens from the first follower on."""

    def __init__(self, listen: Callable[[Callable[[Heard | None], None]], Listening]) -> None:
        self._listen = listen
        self._listening: Listening | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._followers: dict[str, set[_Follower]] = {}
        self._lock = threading.Lock()

    @property
    def followers(self) -> int:
        """How many pages follow now."""
        return sum(len(found) for found in self._followers.values())

    async def follow(
        self,
        topic: str,
        *,
        last: int = 0,
        newest: Callable[[], int] = lambda: 0,
        stays: float = STAYS,
        ping: float = _PING_EVERY,
    ) -> AsyncGenerator[str]:
        """Server-sent events about `topic` (a run's id, or `EVERYTHING`), as text.

        `last` is what the page was told last, `newest` asks what there is: a page that missed something is told at
        once. It is asked when this page is told of whatever comes, so that nothing falls between the two.
        """
        loop = asyncio.get_running_loop()
        mine = _Follower(topic)
        self._followers.setdefault(topic, set()).add(mine)
        ends = loop.time() + stays
        pause = _OF_LISTS_AT_MOST_EVERY if topic == EVERYTHING else _AT_MOST_EVERY
        try:
            await self._start(loop)
            yield await self._greeting(last, newest)
            while loop.time() < ends:
                try:
                    await asyncio.wait_for(mine.wakes.wait(), min(ping, ends - loop.time()))
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                await asyncio.sleep(pause)  # what happens together is told once
                mine.wakes.clear()
                said = f"id: {mine.newest}\n" if mine.newest and not mine.has_gap else ""
                mine.has_gap = False
                yield f"{said}event: changed\ndata: {mine.newest}\n\n"
        finally:
            self._forget(mine)

    def stop(self) -> None:
        """Listen no more."""
        with self._lock:
            listening, self._listening = self._listening, None
        if listening is not None:
            listening.stop()

    async def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Return when every change is heard; or after a while, for the gap is told when the connection is there."""
        with self._lock:
            self._loop = loop
            if self._listening is None:
                self._listening = self._listen(self._heard)
                self._listening.start()
            listening = self._listening
        if not listening.listens:
            await asyncio.to_thread(listening.wait_until_it_listens, _PATIENCE)

    async def _greeting(self, last: int, newest: Callable[[], int]) -> str:
        try:
            there = await asyncio.to_thread(newest)
        except UnavailableError:
            return "retry: 2000\nevent: changed\ndata: 0\n\n"
        return f"retry: 2000\nid: {there}\nevent: {'changed' if 0 < last < there else 'hello'}\ndata: {there}\n\n"

    def _heard(self, heard: Heard | None) -> None:
        """In the thread that listens."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell, heard)

    def _tell(self, heard: Heard | None) -> None:
        if heard is None:
            told = [one for group in self._followers.values() for one in group]
        else:
            told = [*self._followers.get(EVERYTHING, ()), *self._followers.get(heard.run_id or "", ())]
        for one in told:
            one.newest = max(one.newest, heard.index if heard is not None else 0)
            one.has_gap = one.has_gap or heard is None
            one.wakes.set()

    def _forget(self, mine: _Follower) -> None:
        group = self._followers.get(mine.topic, set())
        group.discard(mine)
        if not group:
            self._followers.pop(mine.topic, None)
