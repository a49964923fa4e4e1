"""Exit statuses: a contract with scripts. The only place that says which refusal ends a command with which."""

from __future__ import annotations

from enum import IntEnum

from signoff.domain.errors import (
    AmbiguousError,
    ConfigurationError,
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotAuthenticatedError,
    NotFoundError,
    SignoffError,
)


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    BROKE = 1
    WRONG_CALL = 2
    REFUSED = 3
    RUN_FAILED = 4
    GAVE_UP = 5
    UNREACHABLE = 6


INTERRUPTED = 130
"""What a shell gives a command that Ctrl-C ended."""

_OF_STATUS = {
    400: Exit.WRONG_CALL,
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.WRONG_CALL,
    405: Exit.BROKE,
    409: Exit.REFUSED,
    410: Exit.REFUSED,
    412: Exit.REFUSED,
    413: Exit.WRONG_CALL,
    422: Exit.WRONG_CALL,
    429: Exit.REFUSED,
    502: Exit.UNREACHABLE,
    504: Exit.UNREACHABLE,
}

_OF_CLASS: tuple[tuple[tuple[type[SignoffError], ...], Exit], ...] = (
    ((NotAllowedError, NotAuthenticatedError, ConflictError), Exit.REFUSED),
    ((InvalidError, ConfigurationError, NotFoundError, AmbiguousError), Exit.WRONG_CALL),
)

_OF_RUN = {
    "succeeded": Exit.DONE,
    "errored": Exit.BROKE,
    **dict.fromkeys(("rejected", "failed", "expired", "superseded", "cancelled"), Exit.RUN_FAILED),
}


def exit_of(error: SignoffError) -> Exit:
    """The status that `error` ends the command with."""
    if error.code == "server_unreachable":
        return Exit.UNREACHABLE
    if error.code == "waited_too_long":
        return Exit.GAVE_UP
    status = getattr(error, "status", None)
    if status is not None:
        if error.code == "ambiguous":
            return Exit.WRONG_CALL
        return _OF_STATUS.get(status, Exit.BROKE)
    return next((exit_ for kinds, exit_ in _OF_CLASS if isinstance(error, kinds)), Exit.BROKE)


def exit_of_run(state: str) -> Exit:
    """The status that a run which ended in `state` ends a waiting command with."""
    return _OF_RUN.get(state, Exit.BROKE)
