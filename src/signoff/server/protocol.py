"""HTTP/1.1 for callers who may be slow or greedy on purpose: a request's head is small and comes at once, bodies flow.

uvicorn's own protocol waits for ever for the rest of a request, and keeps a head of any size. A proxy in front would do
the same as this; a server must not need one to stay up.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOG = structlog.get_logger("signoff.http")

LARGEST_HEAD = 64 * 1024
"""Bytes of the request line and all headers together."""
MOST_HEADERS = 200
HEAD_WITHIN = 15.0
"""Seconds from the first byte of a request (or from connecting) to the end of its headers."""
BODY_WINDOW = 30.0
BODY_AT_LEAST = 10 * 1024
"""Bytes of a body that come in every window, unless it is we who are slow to read."""
READ_WITHIN = 60.0
"""Seconds that a caller may leave an answer unread."""
_TOO_LARGE = b"The headers are larger than this server takes.\n"


class HeadTooLargeError(Exception):
    """Stops the parser; the caller is answered 431."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits of size and time."""

    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _in_head = True
    _in_body = False
    _head = 0
    _body = 0
    _is_too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected, and has to say what they want."""
        super().connection_made(transport)
        self._arm(HEAD_WITHIN, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._disarm()
        self._may_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes, of a head or of a body."""
        if self._in_head:
            self._head += len(data)
            if self._timer is None:
                self._arm(HEAD_WITHIN, self._too_slow)
        if self._in_body:
            self._body += len(data)
        super().data_received(data)
        if self._in_head and self._head > LARGEST_HEAD and not self.transport.is_closing():
            self._is_too_large = True
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._is_too_large = True
            raise HeadTooLargeError
        self._in_head, self._in_body, self._body = False, True, 0
        self._arm(BODY_WINDOW, self._stalled)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the next one."""
        self._in_head, self._in_body, self._head = True, False, 0
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what was wrong with the request, and hang up."""
        self._disarm()
        if not self._is_too_large:
            super().send_400_response(msg)
            return
        LOG.warning("the headers of a request were too large", address=self.client[0] if self.client else None)
        head = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(_TOO_LARGE)}\r\nconnection: close"
        first = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        self.transport.write(first + head.encode() + b"\r\n\r\n" + _TOO_LARGE)
        self.transport.close()

    def pause_writing(self) -> None:
        """The caller does not read as fast as we answer."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_WITHIN, self._never_read)

    def resume_writing(self) -> None:
        """They have caught up."""
        self._may_read()
        super().resume_writing()

    def _may_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _never_read(self) -> None:
        self._unread = None
        self.transport.abort()

    def _arm(self, seconds: float, then: Any) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _stalled(self) -> None:
        """A window is over in which the body was to go on."""
        if self._body < BODY_AT_LEAST and not self.flow.read_paused:
            LOG.warning("a request's body came too slowly", address=self.client[0] if self.client else None)
            self.transport.abort()
            return
        self._body = 0
        self._arm(BODY_WINDOW, self._stalled)
