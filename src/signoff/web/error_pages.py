"""Refusals, malformed requests and bugs as pages: what happened, what to do, and the request's id."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from signoff.domain.account_errors import StaleSignInError
from signoff.domain.errors import DatabaseAwayError, NotAuthenticatedError, SignoffError
from signoff.web.destination import safe_path, sign_in_address
from signoff.web.flash import Tone
from signoff.web.forgery import FIELD, SAFE
from signoff.web.page import redirect, render
from signoff.wire.statuses import status_of

LOG = structlog.get_logger("signoff.web")
_SECRET_FIELDS = frozenset({FIELD, "password", "new_password", "current", "code"})


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal with a page."""
    app.add_exception_handler(SignoffError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, SignoffError):
        return bug(request)
    return refusal(request, error, kept=await _typed(request))


def refusal(request: Request, error: SignoffError, kept: tuple[tuple[str, str], ...] = ()) -> Response:
    """A refusal as a page; whoever has to sign in first is led there, and back afterwards."""
    status = status_of(error)
    why = error.why if isinstance(error, DatabaseAwayError) else None
    LOG.info("refused", code=error.code, status=status.value, what=error.what, why=why, path=request.url.path)
    if isinstance(error, NotAuthenticatedError):
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method in SAFE and "hx-request" not in request.headers:
            said = error.what if error.code == "session_over" else None
            return redirect(request, sign_in_address(wanted), said, Tone.INFO)
        again = error.code == StaleSignInError.code
        return _page(request, status, error.what, error.hint, kept=kept, sign_in="again" if again else "first")
    return _page(request, status, error.what, error.hint, kept=kept)


async def _typed(request: Request) -> tuple[tuple[str, str], ...]:
    """The long texts of a form that was refused, so that nobody has to write them again."""
    if request.method in SAFE or not request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        return ()
    form = await request.form()
    texts = ((name, value) for name, value in form.multi_items() if isinstance(value, str))
    return tuple((name, text) for name, text in texts if name not in _SECRET_FIELDS and _is_prose(text))


def _is_prose(text: str) -> bool:
    return " " in text.strip() or "\n" in text.strip()


def _malformed(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    fields = ", ".join(sorted({str(item.get("loc", ("?",))[-1]) for item in found})[:5])
    LOG.info("refused", code="malformed_request", status=422, path=request.url.path, fields=fields)
    return _page(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Something is missing, or not as this page takes it: {fields}.",
        "Go back and fill it in again; an address that was typed or shortened may lack a part.",
    )


def _http(request: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    what, hint = {
        404: (f"There is no page at {request.url.path}.", "It may have been mistyped or moved: begin at the inbox."),
        405: ("This address only takes what a form sends.", "Begin at the inbox."),
    }.get(status.value, (status.phrase, "Begin at the inbox."))
    response = _page(request, status, what, hint)
    response.headers.update(getattr(error, "headers", None) or {})
    return response


def bug(request: Request) -> Response:
    """A bug as a page; its details are in the log under the request's id."""
    return _page(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something broke in the server; nothing of this request was kept.",
        "Try again. If it happens again, tell an administrator the request id: the server's log has the details.",
    )


def _page(
    request: Request,
    status: HTTPStatus,
    what: str,
    hint: str,
    *,
    kept: tuple[tuple[str, str], ...] = (),
    sign_in: str = "",
) -> Response:
    back = request.headers.get("referer") if request.method not in SAFE else None
    values = {"what": what, "hint": hint, "http_status": status, "kept": kept, "sign_in": sign_in, "back": _path(back)}
    response = render(request, "error.html", status=status.value, **values)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response


def _path(referer: str | None) -> str | None:
    """The path of the page that sent the form, when it says so."""
    if not referer:
        return None
    parts = urlsplit(referer)
    return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""))
