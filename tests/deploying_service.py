"""A team's own deploying service on loopback: verifies each request with the reference library, and does as asked.

It keeps to what the how-to page asks of one: a request whose id it has seen is answered as before and done once, until
a rollback has taken back what it did.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from standardwebhooks import Webhook, WebhookVerificationError

from signoff.domain.deployer import SecretReference, WebhookSpec
from signoff.domain.environment import DeployerSpec, Environment

WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Service:
    """What it serves, what it was asked, and how it answers.

    `status` other than 200 is answered to every request, whose ids are in `refused`; `answer` is the JSON of a success.
    What `fails` is tried, and answered with that reason. With `slow` it answers 202, and what came of it only when it
    is asked as often as that. `is_healthy` is what the health address says.
    """

    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    slow: int = 0
    refused: list[str] = field(default_factory=list)
    secret_file: str = ""
    location: str | None = "/status/1"
    is_healthy: bool = True
    serving: str | None = None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    forged: int = 0
    port: int = 0
    holds: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/deploy"

    def environment(self, name: str, secret_file: str, **more: Any) -> Environment:
        """An environment that this service deploys to."""
        health = f"http://127.0.0.1:{self.port}/health"
        spec = WebhookSpec(self.url, SecretReference(file=secret_file), **{"health_url": health, **more})
        return Environment(name, DeployerSpec("webhook", "champion", webhook=spec), accept_claimed=True)

    def asked(self) -> list[tuple[str, str]]:
        """Action and version of each request, in order."""
        return [(document["data"]["action"], document["data"]["version"]) for _, document in self.requests]

    def outcome(self) -> dict[str, Any]:
        """What came of the newest request."""
        action = self.requests[-1][1]["data"]["action"]
        return {"status": "failed", "why": self.fails[action]} if action in self.fails else self.answer

    def take(self, message_id: str, document: dict[str, Any]) -> None:
        """Do what is asked, once for each id."""
        self.requests.append((message_id, document))
        if message_id in self.done:
            return
        self.serving = document["data"]["version"]
        self.done.append(message_id)
        if document["data"]["action"] == "rollback":
            self.done.remove(message_id.removesuffix("/rollback"))


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Service]

    def do_POST(self) -> None:
        service = self.service
        document = self._verified(self.rfile.read(int(self.headers["content-length"])))
        if document is None or service.status != 200:
            service.refused.append(self.headers["webhook-id"])
            self._say(401 if document is None else service.status)
            return
        service.take(self.headers["webhook-id"], document)
        if service.holds.is_set():
            service.released.wait(30)
        if service.slow:
            self._say(202, {"why": "queued"}, service.location)
        else:
            self._say(200, service.outcome())

    def do_GET(self) -> None:
        service = self.service
        if self.path == "/health":
            self._say(200 if service.is_healthy else 503)
        elif self._verified(b"") is None:
            self._say(401)
        else:
            service.polls.append(self.headers["webhook-id"])
            is_over = len(service.polls) >= service.slow
            under_way = {"status": "pending", "why": f"{len(service.polls)} of 3 replicas"}
            self._say(200, {"status": "succeeded", **service.outcome()} if is_over else under_way)

    def _verified(self, body: bytes) -> Any:
        """The document that was signed ({} of none); None of what was not."""
        try:
            Webhook(WEBHOOK_SECRET).verify(body, dict(self.headers.items()), json_parse=False)
        except WebhookVerificationError:
            self.service.forged += 1
            return None
        return json.loads(body) if body else {}

    def _say(self, status: int, answer: dict[str, Any] | None = None, location: str | None = None) -> None:
        body = json.dumps(answer).encode() if answer else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def a_deploying_service() -> Iterator[Service]:
    """A service that listens until the end."""
    service = Service()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service}))
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
