"""The ASGI application: mounts the API, gives every request an id, counts and times it."""

from __future__ import annotations

import secrets
import time
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signoff import __version__
from signoff.api import (
    absence,
    catalogue,
    chats,
    drift,
    emergencies,
    environments,
    gates,
    health,
    hooks,
    machines,
    notifications,
    people,
    problems,
    replay,
    runs,
    watches,
)
from signoff.api.refusals import REFUSALS, DescribedApi
from signoff.server.limits import BodyLimit
from signoff.service.desk import Desk
from signoff.service.streams import Streams
from signoff.store.audit import REQUEST_ID
from signoff.web.app import create_pages

LOG = structlog.get_logger("signoff.http")
PREFIX = "/api/v1"
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The policy of what is no page: should a browser show it, it loads and runs nothing."""
_HSTS = "max-age=31536000; includeSubDomains"


def create_app(desk: Desk) -> FastAPI:
    """The application over `desk`."""
    app = DescribedApi(
        title="signoff",
        version=__version__,
        summary="Pull-request review for machine-learning models.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.desk = desk
    app.state.measures = health.Measures(desk)
    app.state.streams = Streams()
    rest = APIRouter(prefix=PREFIX, responses=REFUSALS)
    parts = (runs, gates, catalogue, environments, absence, emergencies, replay, people, machines, notifications)
    for part in (*parts, chats, drift, hooks, watches):
        rest.include_router(part.router)
    app.include_router(rest)
    app.include_router(health.router)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(PagesBeside, pages=create_pages(app.state))
    # A page of another site must not reach a server on loopback by renaming it.
    hosts = {"localhost", "127.0.0.1", "[::1]", "testserver", urlsplit(desk.url).hostname or "localhost"}
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts), www_redirect=False)
    app.add_middleware(RequestId, measures=app.state.measures, is_https=urlsplit(desk.url).scheme == "https")
    return app


class PagesBeside:
    """Sends what is not for programs to the pages, so that they have error pages and headers of their own."""

    def __init__(self, app: ASGIApp, pages: ASGIApp) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_page = scope["type"] == "http" and scope["path"] not in _QUIET and not scope["path"].startswith("/api/")
        await (self._pages if is_page else self._app)(scope, receive, send)


class RequestId:
    """Names each request (or takes the name it came with), and logs, counts and times its answer.

    Every answer, of pages and of REST, carries the security headers that hold for all.
    """

    def __init__(self, app: ASGIApp, measures: health.Measures, *, is_https: bool) -> None:
        self._app = app
        self._measures = measures
        self._is_https = is_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or secrets.token_hex(8)
        token = REQUEST_ID.set(request_id)
        began = time.perf_counter()
        status = 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Content-Security-Policy", _NOTHING)
                if self._is_https:
                    headers.setdefault("Strict-Transport-Security", _HSTS)
            await send(message)

        try:
            await self._app(scope, receive, named)
        finally:
            took = time.perf_counter() - began
            self._measures.requests.labels(scope["method"], str(status)).inc()
            self._measures.seconds.labels(scope["method"]).observe(took)
            if scope["path"] not in _QUIET:
                said = {"method": scope["method"], "path": scope["path"], "status": status}
                LOG.info("answered", **said, ms=round(took * 1000, 1))
            REQUEST_ID.reset(token)


def _given(scope: Scope) -> str | None:
    """The caller's own request id, when it is a sane one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and 0 < len(value) <= 64 and value.replace(b"-", b"").isalnum():  # noqa: PLR2004
            return bytes(value).decode("ascii")
    return None
