"""Hearing of changes as they are committed: one connection of this process, however many pages follow.

Postgres tells of every audit event (migration 0005). A telling may be lost, for the connection may break: whoever is
told of a gap looks at the rows again, which are the truth.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog

CHANNEL = "signoff_events"
_LOOKS_UP_EVERY = 0.5
_PAUSES = (0.2, 1.0, 5.0)
_FIELDS = 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """One audit event that was committed: its index and type, and what it is about."""

    index: int
    type: str
    run_id: str | None
    model: str | None


class Listening:
    """A thread that hears of every audit event and passes it on.

    `tell` is called in that thread, with None where something may have been missed. Nothing happens before `start`.
    """

    def __init__(self, url: str, tell: Callable[[Heard | None], None]) -> None:
        self._url = url
        self._tell = tell
        self._ends = threading.Event()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._work, name="signoff-listening", daemon=True)

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._thread.start()

    @property
    def listens(self) -> bool:
        """Whether it hears what is committed now."""
        return self._listens.is_set()

    def wait_until_it_listens(self, timeout: float) -> bool:
        """Whether it listens within `timeout` seconds."""
        return self._listens.wait(timeout)

    def stop(self) -> None:
        """Listen no more; returns when the connection is closed."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _work(self) -> None:
        failures = 0
        while not self._ends.is_set():
            try:
                self._listen(is_again=failures > 0)
                failures = 0
            except (psycopg.Error, OSError) as error:
                log.warning("listening.lost", reason=str(error).strip().split("\n", 1)[0])
                self._listens.clear()
                self._ends.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1

    def _listen(self, *, is_again: bool) -> None:
        with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self._listens.set()
            if is_again:
                self._tell(None)
            while not self._ends.is_set():
                for notify in connection.notifies(timeout=_LOOKS_UP_EVERY):
                    self._pass_on(notify.payload)

    def _pass_on(self, payload: str) -> None:
        parts = payload.split(" ", _FIELDS - 1)
        if len(parts) == _FIELDS and parts[0].isdigit():
            run_id, model = (None if part == "-" else part for part in parts[2:])
            self._tell(Heard(int(parts[0]), parts[1], run_id, model))
