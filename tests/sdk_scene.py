"""A client over a server that a test makes up."""

from __future__ import annotations

import httpx2

from fake_server import (
    URL,
    FakeServer,
)
from signoff.sdk.client import Client


def client_of(server: FakeServer, sleeps: list[float] | None = None) -> Client:
    kept: list[float] = [] if sleeps is None else sleeps
    return Client(URL, "secret", transport=httpx2.MockTransport(server), sleep=kept.append)
