"""How many streams each person follows at a time: they are answers that do not end, and a server has room for so many.

Kept by each server process for itself; `api` and `web` count together, in their one event loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from signoff.domain.account_errors import TooManyAttemptsError

MOST = 50
"""Streams of one person at one server."""
_AFTER_S = 60


class Streams:
    """Those of one server, by person."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def check(self, person: str) -> None:
        """Return while `person` may follow one more.

        Raises:
            TooManyAttemptsError: they follow as many as anybody may.
        """
        if self._open[person] >= MOST:
            raise TooManyAttemptsError(
                f"{person} follows {MOST} streams at a time, as many as anybody may.",
                "Close some of the pages or programs that follow runs.",
                after=_AFTER_S,
            )

    @contextmanager
    def one_more(self, person: str) -> Iterator[None]:
        """Count a stream until the block ends."""
        self._open[person] += 1
        try:
            yield
        finally:
            self._open[person] -= 1
            if not self._open[person]:
                del self._open[person]
