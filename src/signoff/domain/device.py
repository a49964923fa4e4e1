"""A program that asks to be signed in, and the short code by which a person who is signed in lets it (RFC 8628).

Values and the reasons to refuse; how a code becomes a session is the business of `service`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from signoff.domain.errors import InvalidError, NotFoundError, SignoffError

DEVICE_CODE_LASTS = timedelta(minutes=10)
POLL_EVERY = timedelta(seconds=3)
POLL_AT_MOST_EVERY = timedelta(seconds=2)
DEVICE_SESSION_LASTS = timedelta(days=7)
"""A command line that was signed in by a code is asked anew after so long, whatever happens."""
DEVICE_SESSION_IDLE = timedelta(days=3)
"""Long enough for a week-end."""

USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word, and no digits that look like letters."""
USER_CODE_LENGTH = 8
LONGEST_CLIENT = 120


class DeviceStatus(StrEnum):
    """How a request to be signed in stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    REDEEMED = "redeemed"


DEVICE_TRANSITIONS: Mapping[DeviceStatus, frozenset[DeviceStatus]] = {
    DeviceStatus.PENDING: frozenset({DeviceStatus.APPROVED, DeviceStatus.DENIED}),
    DeviceStatus.APPROVED: frozenset({DeviceStatus.REDEEMED}),
    DeviceStatus.DENIED: frozenset(),
    DeviceStatus.REDEEMED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """One request. `client` is what the program calls itself, and nothing that anybody vouches for."""

    user_code: str
    status: DeviceStatus
    client: str
    address: str
    created_at: datetime
    expires_at: datetime
    person: str | None = None
    authenticated_at: datetime | None = None
    polled_at: datetime | None = None


def show_user_code(code: str) -> str:
    """The code as people read it: ``BCDF-GHJK``."""
    half = USER_CODE_LENGTH // 2
    return f"{code[:half]}-{code[half:]}"


def read_user_code(typed: str) -> str:
    """The code that was typed, however it was spaced.

    Raises:
        UserCodeError: it cannot be one.
    """
    letters = "".join(letter for letter in typed.upper() if letter not in "- \t")
    if len(letters) != USER_CODE_LENGTH or not set(letters) <= set(USER_CODE_LETTERS):
        raise UserCodeError(
            "That is no code of signoff's.", f"It has {USER_CODE_LENGTH} letters, such as BCDF-GHJK; look again."
        )
    return letters


class UserCodeError(InvalidError):
    """What was typed cannot be a code."""

    code = "bad_user_code"


class DeviceUnknownError(NotFoundError):
    """No request with this code waits: there never was one, it is too old, or somebody has answered it."""

    code = "device_unknown"


class AuthorizationPendingError(SignoffError):
    """Nobody has confirmed the code yet: ask again."""

    code = "authorization_pending"


class SlowDownError(SignoffError):
    """Asked again too soon: wait longer between two questions."""

    code = "slow_down"


class AccessDeniedError(SignoffError):
    """The person said no."""

    code = "access_denied"


class DeviceExpiredError(SignoffError):
    """Nobody confirmed in time, or the code was used: begin anew."""

    code = "expired_token"
