"""The HTTP status of every refusal: one dict, shared by REST and the pages."""

from __future__ import annotations

from http import HTTPStatus

from signoff.domain import errors
from signoff.domain.account_errors import TooManyAttemptsError

STATUS: dict[type[errors.SignoffError], HTTPStatus] = {
    errors.NotAuthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.NotAllowedError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.AmbiguousError: HTTPStatus.BAD_REQUEST,
    errors.InvalidError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ConfigurationError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyAttemptsError: HTTPStatus.TOO_MANY_REQUESTS,
}
"""The nearest ancestor of a refusal's class decides."""


def status_of(error: errors.SignoffError) -> HTTPStatus:
    """The HTTP status of a refusal."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return HTTPStatus.BAD_REQUEST
