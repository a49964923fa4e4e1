"""`Outbound`: asks an address that somebody named, without being led where they may not go themselves.

The name is resolved once, every address that it has is judged, and the connection goes to one of these: what the name
says a moment later is nobody's business. No proxy, no redirect, no compression, an end to size and time.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpcore2
import structlog

from signoff import __version__
from signoff.domain.errors import InvalidError, UnavailableError
from signoff.outbound.addresses import AllowList, is_metadata, is_public

LOG = structlog.get_logger("signoff.outbound")

DEADLINE_S = 10.0
"""From the first look-up of the name to the last byte."""
LARGEST_ANSWER = 1024**2
_LONGEST_URL = 2000
_OK = range(200, 300)
_REDIRECTS = range(300, 400)
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

Resolve = Callable[[str, int], list[str]]


class AddressRefusedError(InvalidError):
    """An address that leads where signoff does not go for others."""

    code = "address_refused"


class UnwelcomeAnswerError(UnavailableError):
    """Somebody answered, and not with a success. `status` is HTTP's."""

    def __init__(self, what: str, hint: str, *, status: int) -> None:
        super().__init__(what, hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: always a success, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def resolve(host: str, port: int) -> list[str]:
    """Every address that `host` has at this moment; OSError when it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


@dataclass(frozen=True)
class Outbound:
    """The way out. `allowed` is what an administrator opened; `tls` and `resolve` are the system's own."""

    allowed: AllowList = field(default_factory=AllowList)
    deadline: float = DEADLINE_S
    largest: int = LARGEST_ANSWER
    resolve: Resolve = resolve
    tls: ssl.SSLContext | None = None

    def get(self, url: str, *, is_configured: bool = False, headers: Mapping[str, str] | None = None) -> Answer:
        """What `url` answers. Raises as `ask` does."""
        return self.ask("GET", url, is_configured=is_configured, headers=headers)

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        is_configured: bool = False,
    ) -> Answer:
        """Send a request to `url`. `is_configured`: an administrator named its host, which may then be private.

        Raises:
            AddressRefusedError: the address may not be asked, or it answers with a redirect.
            UnavailableError: nobody answered in time, or with something else than a success of acceptable size.
            UnwelcomeAnswerError: one of these: the answer has another status.
        """
        parts = self._judged(url, is_configured=is_configured)
        host = parts.hostname or ""
        is_open = is_configured or self.allowed.names_host(host)
        backend = _Pinned(self, is_open=is_open, until=time.monotonic() + self.deadline)
        sent = {"Host": parts.netloc, "User-Agent": f"signoff/{__version__}", "Accept-Encoding": "identity"}
        limit = dict.fromkeys(("connect", "read", "write", "pool"), self.deadline)
        tls = self._tls if parts.scheme == "https" else None
        try:
            with (
                httpcore2.ConnectionPool(ssl_context=tls, network_backend=backend, max_connections=1) as pool,
                pool.stream(
                    method,
                    url.partition("#")[0],
                    headers=list({**sent, **(headers or {})}.items()),
                    content=body,
                    extensions={"timeout": limit},
                ) as response,
            ):
                return self._read(host, response)
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise UnavailableError(
                f"No answer from {host}: {type(error).__name__}.", "Try again; its administrator may know more."
            ) from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        if self.tls is not None:
            return self.tls
        from httpx2 import create_ssl_context

        return create_ssl_context()

    def _judged(self, url: str, *, is_configured: bool) -> SplitResult:
        """The parts of an address that may be asked, as far as its text can tell."""
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").encode("ascii").decode(), parts.port
        except (ValueError, UnicodeError):
            parts, host = SplitResult("", "", "", "", ""), ""
        is_sane = len(url) <= _LONGEST_URL and url.isascii() and url.isprintable() and " " not in url
        if not is_sane or parts.scheme not in {"http", "https"} or not host:
            raise AddressRefusedError("This is no address that signoff can ask.", "Write it as https://host/path.")
        if parts.username is not None or parts.password is not None:
            raise AddressRefusedError("The address holds a user name or password.", "Leave them out.")
        is_plain_here = is_configured and host in _LOOPBACK_NAMES
        if parts.scheme == "http" and not (is_plain_here or self.allowed.names_host(host) or self._holds(host)):
            raise AddressRefusedError(f"{host} would be asked without TLS.", "Use https.")
        return parts

    def _holds(self, host: str) -> bool:
        try:
            return self.allowed.holds(host)
        except ValueError:
            return False

    def _read(self, host: str, response: httpcore2.Response) -> Answer:
        if response.status in _REDIRECTS:
            raise AddressRefusedError(
                f"{host} answers with a redirect, which signoff does not follow.", "Give the address that it leads to."
            )
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status not in _OK or headers.get("content-encoding", "identity") != "identity":
            what = f"{host} answered with HTTP {response.status}."
            raise UnwelcomeAnswerError(what, "Its administrator may know more.", status=response.status)
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > self.largest:
                raise UnavailableError(
                    f"{host} sent more than {self.largest // 1024} KiB.", "Its administrator may know more."
                )
        return Answer(response.status, headers, bytes(body))

    def judge(self, host: str, addresses: Iterable[str], *, is_open: bool) -> None:
        """Return when every one of the addresses of `host` may be asked.

        Raises:
            AddressRefusedError: one may not. The message does not say what the name resolves to.
        """
        for address in addresses:
            if is_public(address) or self.allowed.holds(address) or (is_open and not is_metadata(address)):
                continue
            LOG.warning("an address was refused", host=host, address=address)
            raise AddressRefusedError(
                f"{host} leads to a network that signoff does not ask for others.",
                "An administrator can allow it: SIGNOFF_OUTBOUND_ALLOW.",
            )


class _Pinned(httpcore2.NetworkBackend):
    """Connects to the addresses that were judged, and lets nothing take longer than until the deadline."""

    def __init__(self, outbound: Outbound, *, is_open: bool, until: float) -> None:
        self._outbound = outbound
        self._is_open = is_open
        self._until = until
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is ours
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to one of the addresses of `host`."""
        try:
            addresses = self._outbound.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        self._outbound.judge(host, addresses, is_open=self._is_open)
        last: Exception = httpcore2.ConnectError("the name has no address")
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(address, port, left(self._until), local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
            else:
                return _Watched(stream, self._until)
        raise last


class _Watched(httpcore2.NetworkStream):
    """A connection of which every read and write ends with the deadline, however slowly bytes drip."""

    def __init__(self, stream: httpcore2.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Some bytes."""
        return self._stream.read(max_bytes, left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send them."""
        self._stream.write(buffer, left(self._until))

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """The same, encrypted; the certificate must be that of the name, not of the address."""
        return _Watched(self._stream.start_tls(ssl_context, server_hostname, left(self._until)), self._until)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows about itself."""
        return self._stream.get_extra_info(info)


def left(until: float) -> float:
    """Seconds until then; a time-out when there are none."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise httpcore2.ReadTimeout("the deadline has passed")
    return seconds
