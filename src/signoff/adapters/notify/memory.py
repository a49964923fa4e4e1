"""The double: keeps what it was given to send, and fails when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from signoff.domain.errors import UnavailableError
from signoff.domain.notice import Message
from signoff.domain.target import GoneError, RefusedError, Target


class MemoryNotifier:
    """Remembers (target, message) in `sent`.

    Targets in `dead` do not answer, those in `gone` want nothing more; addresses in `unknown` are refused.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.dead: set[str] = set()
        self.gone: set[str] = set()
        self.unknown: set[str] = set()

    @contextmanager
    def open(self, target: Target, /) -> Iterator[Callable[[Message], str]]:
        """A way to send through `target`."""

        def send(message: Message) -> str:
            if target.name in self.dead:
                raise UnavailableError(f"{target.name} does not answer.", "It was told not to.")
            if target.name in self.gone:
                raise GoneError(f"{target.name} answered with HTTP 410.")
            if message.to in self.unknown:
                raise RefusedError(f"{message.to} is unknown there.", is_final=True)
            self.sent.append((target.name, message))
            return "250 kept"

        yield send
