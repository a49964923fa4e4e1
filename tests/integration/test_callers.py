"""What a caller cannot do to the server: be slow, send too much, or pretend to be somewhere else."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from house import House, refused
from signoff.server import protocol
from signoff.server.app import create_app
from signoff.server.limits import LARGEST_BODY
from signoff.server.stack import listening
from signoff.settings import Settings


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Who the caller seems to be, and how much they sent."""
    request = Request(scope, receive)
    if request.url.path == "/much":
        await Response(b"x" * 64 * 1024**2)(scope, receive, send)
        return
    body = await request.body()
    client = scope["client"][0] if scope["client"] else None
    await JSONResponse({"client": client, "scheme": scope["scheme"], "size": len(body)})(scope, receive, send)


@contextmanager
def serving(*proxies: str) -> Iterator[int]:
    """The echo, served as `signoff serve` does it; its port."""
    server = uvicorn.Server(listening(echo, Settings(home=Path("/nowhere"), trusted_proxies=proxies)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connected(port: int) -> socket.socket:
    caller = socket.create_connection(("127.0.0.1", port), timeout=10)
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return caller


def rest(caller: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    got = b""
    try:
        while chunk := caller.recv(65536):
            got += chunk
    except ConnectionResetError:
        pass
    return got


def told(port: int, *headers: str) -> dict[str, Any]:
    """What the echo says to a request with these headers."""
    with connected(port) as caller:
        lines = "".join(f"{header}\r\n" for header in headers)
        caller.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())
        found: dict[str, Any] = json.loads(rest(caller).partition(b"\r\n\r\n")[2])
        return found


def test_nobody_is_believed_about_where_they_come_from_unless_proxies_are_named() -> None:
    with serving() as port:
        seen = told(port, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    assert (seen["client"], seen["scheme"]) == ("127.0.0.1", "http")


def test_a_trusted_proxy_is_believed_and_what_its_caller_made_up_is_not() -> None:
    with serving("127.0.0.1", "10.0.0.0/8") as port:
        made_up = "X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.0.0.7"
        seen = told(port, made_up, "X-Forwarded-Proto: https")
    assert (seen["client"], seen["scheme"]) == ("203.0.113.9", "https")


def test_somebody_who_is_no_trusted_proxy_is_not_believed() -> None:
    with serving("10.0.0.7") as port:
        seen = told(port, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    assert (seen["client"], seen["scheme"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /?" + b"y" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(300)) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000,
    ],
    ids=["one header", "address", "many headers", "without end"],
)
def test_a_head_that_is_too_large_is_refused(head: bytes) -> None:
    with serving() as port, connected(port) as caller:
        caller.sendall(head)
        answer = rest(caller)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"200 OK" not in answer
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""


def test_headers_of_a_usual_size_pass_and_a_connection_takes_many_requests() -> None:
    one = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 30_000 + b"\r\n\r\n"
    with serving() as port, connected(port) as caller:
        for _ in range(5):
            caller.sendall(one)
            assert caller.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_a_caller_who_never_finishes_their_headers_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", 0.3)
    with serving() as port, connected(port) as silent, connected(port) as slow:
        began = time.monotonic()
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert rest(slow) == b""
        assert rest(silent) == b""
        assert time.monotonic() - began < 5


def test_a_second_request_on_a_connection_is_held_to_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", 0.3)
    with serving() as port, connected(port) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 OK")
        caller.sendall(b"GET / HTTP/1.1\r\nX: ")
        began = time.monotonic()
        assert rest(caller) == b""
        assert time.monotonic() - began < 4.5  # an idle connection would be kept for five seconds


def test_a_body_that_drips_is_given_up_and_one_that_flows_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_WINDOW", 0.3)
    with serving() as port:
        with connected(port) as caller:
            caller.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
            assert rest(caller) == b""
        with connected(port) as caller:
            caller.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(5):
                time.sleep(0.12)  # the flow itself is what is tried
                caller.sendall(b"x" * 20_000)
            assert rest(caller).endswith(b'"size":100000}')


def test_a_caller_who_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "READ_WITHIN", 0.3)
    with serving() as port, connected(port) as caller:
        caller.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.0)  # not reading is what is tried
        assert len(rest(caller)) < 64 * 1024**2


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_document_that_is_too_large_is_refused(house: House, is_announced: bool) -> None:
    size = LARGEST_BODY + 1

    def parts() -> Iterator[bytes]:
        yield b'{"pipeline": "'
        for _ in range(size // 1024**2 + 1):
            yield b"x" * 1024**2

    content = b"x" * size if is_announced else parts()
    answer = house.as_("alice").ask("POST", "/runs", content=content, headers={"Content-Type": "application/json"})
    refused(answer, 413, "too_large")


def test_answers_of_rest_may_do_nothing_in_a_browser_and_insist_on_tls_where_there_is_tls(house: House) -> None:
    from fastapi.testclient import TestClient

    answer = house.as_("alice").get("/me")
    assert (
        answer.headers["content-security-policy"]
        == "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    assert "strict-transport-security" not in answer.headers
    from dataclasses import replace

    behind_tls = create_app(replace(house.desk, url="https://signoff.example"))
    with TestClient(behind_tls, base_url="https://signoff.example") as client:
        for path in ("/api/v1/me", "/healthz", "/sign-in"):
            assert client.get(path).headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
