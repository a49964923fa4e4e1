"""Refusals as application/problem+json (RFC 9457). Anything else is a bug."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from signoff.domain import errors
from signoff.domain.account_errors import TooManyAttemptsError
from signoff.spec import Problem as FileProblem
from signoff.store.audit import REQUEST_ID
from signoff.wire.body import Place, Problem
from signoff.wire.statuses import status_of

LOG = structlog.get_logger("signoff.api")


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal, and every bug, with a problem."""
    app.add_exception_handler(errors.SignoffError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def answer(
    status: HTTPStatus, code: str, detail: str, hint: str = "", places: list[Place] | None = None
) -> JSONResponse:
    """A problem as a response."""
    problem = Problem(
        title=status.phrase,
        status=status.value,
        code=code,
        detail=_sound(detail),
        hint=_sound(hint),
        errors=[place.model_copy(update={"message": _sound(place.message)}) for place in places or []],
        request_id=REQUEST_ID.get(),
    )
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return JSONResponse(
        problem.model_dump(mode="json"), status.value, headers=headers, media_type="application/problem+json"
    )


def _sound(text: str) -> str:
    """`text` as UTF-8 can say it: what was sent, and is repeated in a refusal, may hold half of a character."""
    return text.encode("utf-8", "replace").decode()


def place_of(problem: FileProblem) -> Place:
    """A problem of a sent file, as the wire carries it."""
    return Place(
        message=problem.message,
        code=problem.code,
        hint=problem.hint,
        file=problem.file,
        line=problem.line,
        column=problem.column,
        severity=problem.severity,
    )


def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, errors.SignoffError):
        return _bug(request, error)
    places: list[Place] = []
    if isinstance(error, errors.PipelineError):
        places = [place_of(problem) for problem in error.problems if isinstance(problem, FileProblem)]
    status = status_of(error)
    LOG.info("refused", code=error.code, status=status.value, what=for_the_log(error), path=request.url.path)
    response = answer(status, error.code, error.what, error.hint, places)
    if isinstance(error, TooManyAttemptsError):
        response.headers["Retry-After"] = str(error.after)
    return response


def for_the_log(error: errors.SignoffError) -> str:
    """What happened, with what operators may read and callers may not."""
    return f"{error.what} {error.why}" if isinstance(error, errors.DatabaseAwayError) else error.what


def _malformed(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - the framework's signature
    found = error.errors() if isinstance(error, RequestValidationError) else []
    places = [
        Place(message=str(item.get("msg", "")), field=".".join(str(part) for part in item.get("loc", ())))
        for item in found[:50]
    ]
    where = "; ".join(f"{place.field}: {place.message}" for place in places[:3])
    return answer(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "malformed_request",
        f"The request is not what this address takes: {where}.",
        "The OpenAPI description is at /api/v1/openapi.json.",
        places,
    )


def _http(request: Request, error: Exception) -> JSONResponse:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(status.value, "refused")
    what = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.method} is not possible at {request.url.path}.",
    }.get(status.value, str(getattr(error, "detail", status.phrase)))
    response = answer(status, code, what, "The OpenAPI description is at /api/v1/openapi.json.")
    response.headers.update(getattr(error, "headers", None) or {})
    return response


def _bug(request: Request, error: Exception) -> JSONResponse:
    LOG.error("a bug", path=request.url.path, method=request.method, exc_info=error)
    return answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Something broke in the server; nothing of this request was kept.",
        "Tell an administrator the request id: the server's log has the details under it.",
    )
