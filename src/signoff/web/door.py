"""What every page goes through: security headers, the check where forms come from, their size, and bugs as pages."""

from __future__ import annotations

import secrets

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signoff.domain.errors import InvalidError, SignoffError
from signoff.web import error_pages
from signoff.web.cookies import is_https
from signoff.web.forgery import refuse_foreign

LOG = structlog.get_logger("signoff.web")
LARGEST_FORM = 2 * 1024**2
"""The largest form, in bytes; models and folders are uploaded over REST."""
_HSTS = "max-age=31536000; includeSubDomains"


class FormTooLargeError(InvalidError):
    """More bytes than a form of ours ever has."""

    code = "form_too_large"


def policy(nonce: str) -> str:
    """The Content-Security-Policy of a page: scripts with this nonce, everything else from here, nothing inline."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


class Door:
    """Wraps the pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.nonce = secrets.token_urlsafe(18)
        has_begun = False

        async def secured(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                _secure(request, MutableHeaders(scope=message))
            await send(message)

        try:
            refuse_foreign(request)
            await self._app(scope, _limited(receive), secured)
        except SignoffError as error:
            if has_begun:
                raise
            await error_pages.refusal(request, error)(scope, receive, secured)
        except Exception as error:
            if has_begun:
                raise
            LOG.exception("a bug", path=scope["path"], method=scope["method"], exc_info=error)
            await error_pages.bug(request)(scope, receive, secured)


def _limited(receive: Receive) -> Receive:
    """`receive`, which gives up on a form that is too large."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_FORM:
            raise FormTooLargeError(
                f"What was sent has more than {LARGEST_FORM // 1024**2} MB.", "Send files with the command line."
            )
        return message

    return limited


def _secure(request: Request, headers: MutableHeaders) -> None:
    """The headers of a page, where its route said nothing else."""
    headers.setdefault("Content-Security-Policy", policy(request.state.nonce))
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
    headers.setdefault("X-Frame-Options", "DENY")
    if is_https(request):
        headers.setdefault("Strict-Transport-Security", _HSTS)
