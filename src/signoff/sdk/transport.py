"""HTTP: sends a request, repeats what is safe to repeat, and turns what comes back into a body or an error.

Used by `sdk.client` only, which knows the routes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import TypeAdapter, ValidationError

from signoff import __version__
from signoff.sdk.errors import ApiError, ServerUnreachableError
from signoff.wire.body import Problem, Request

T = TypeVar("T")

PREFIX = "/api/v1"
TIMEOUT_S = 30.0
_PAUSES_S = (0.2, 0.6, 1.5)
_PASSING = frozenset({502, 503, 504})
"""Statuses of a server or proxy that is just starting, stopping or busy."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NOBODY_THERE = (httpx2.ConnectError, httpx2.ConnectTimeout)

Content = Callable[[], Iterator[bytes]]
"""Gives the bytes to send, from the beginning each time it is called."""


class Transport:
    """One server, spoken to with one credential. `sleep` waits between tries."""

    def __init__(
        self,
        server: str,
        token: str | None,
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server.rstrip("/")
        self._sleep = sleep
        headers = {"User-Agent": f"signoff/{__version__}", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        address = urlsplit(self.server)
        self._http = httpx2.Client(
            base_url=self.server + PREFIX,
            headers=headers,
            timeout=TIMEOUT_S,
            transport=transport,
            trust_env=address.hostname not in _LOOPBACK,  # a proxy cannot see this machine's loopback
            verify=address.scheme == "https",  # reading the certificates takes longer than most requests
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        body: Request | None = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Content | None = None,
    ) -> T:
        """Send, and read `answer` from what comes back; the errors are those of `send`."""
        response = self.send(method, path, body=body, query=query, headers=headers, content=content)
        try:
            return TypeAdapter(answer).validate_json(response.content)
        except ValidationError as error:
            raise self._stranger(response) from error

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Request | None = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Content | None = None,
    ) -> httpx2.Response:
        """The server's answer, which is a success.

        Repeated up to three times when the server drops it or says 502 to 504, if sending it twice has the effect of
        sending it once: reads, uploads by content, and whatever carries an Idempotency-Key. A read of a server at
        which nobody listens fails at once, so that a person is told at once.

        Raises:
            ApiError: the server refused, or what answered is no signoff server.
            ServerUnreachableError: nobody answered.
        """
        sent = {"Accept": "application/json", **(headers or {})}
        data = None if body is None else body.model_dump_json(exclude_none=True).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        params = {name: value for name, value in (query or {}).items() if value is not None}
        is_keyed = content is not None or "Idempotency-Key" in sent
        pauses = iter(_PAUSES_S if is_keyed or method == "GET" else ())
        while True:
            try:
                response = self._http.request(
                    method, path, params=params, headers=sent, content=content() if content else data
                )
            except httpx2.TransportError as error:
                is_hopeless = isinstance(error, _NOBODY_THERE) and not is_keyed
                if is_hopeless or (pause := next(pauses, None)) is None:
                    raise self._unreachable(error) from error
            else:
                if response.status_code not in _PASSING or (pause := next(pauses, None)) is None:
                    return self._accepted(response)
            self._sleep(pause)

    @contextmanager
    def listen(self, path: str, headers: Mapping[str, str]) -> Iterator[Iterator[httpx2.ServerSentEvent]]:
        """A stream of events, for as long as the server sends them; the errors are those of `send`."""
        timeout = httpx2.Timeout(TIMEOUT_S, read=None)
        try:
            with self._http.sse(path, headers=headers, timeout=timeout) as source:
                if source.response.is_error:
                    source.response.read()
                self._accepted(source.response)
                yield iter(source)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _accepted(self, response: httpx2.Response) -> httpx2.Response:
        """`response`, unless it is a refusal.

        Raises:
            ApiError: it is one.
        """
        if response.is_success:
            return response
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError as error:
            raise self._stranger(response) from error
        raise ApiError(
            problem.detail or problem.title,
            problem.hint,
            code=problem.code,
            status=response.status_code,
            errors=tuple(problem.errors),
            request_id=problem.request_id or response.headers.get("X-Request-Id"),
        )

    def _stranger(self, response: httpx2.Response) -> ApiError:
        """What answered is a proxy, another program, or another version of this one."""
        status = response.status_code
        if status in _PASSING:
            what, hint = f"{self.server} is not ready (HTTP {status}).", "Try again in a moment."
        elif status >= 500:  # noqa: PLR2004
            what, hint = f"{self.server} broke (HTTP {status}).", "Its log says why."
        else:
            what = f"{self.server} answered HTTP {status}, but not as a signoff server of this version does."
            hint = "Check the address given with --server or SIGNOFF_SERVER."
        request_id = response.headers.get("X-Request-Id")
        return ApiError(what, hint, code="unexpected_answer", status=status, request_id=request_id)

    def _unreachable(self, error: httpx2.TransportError) -> ServerUnreachableError:
        said = str(error) or type(error).__name__
        hint = "Start it with `signoff up`, or say where it is with --server or SIGNOFF_SERVER."
        if not isinstance(error, _NOBODY_THERE):
            hint = "Try again; the server's log says more."
        return ServerUnreachableError(f"No answer from {self.server}: {said}.", hint)
