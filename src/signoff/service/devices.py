"""Signing a program in by a short code that a person confirms in their browser (RFC 8628).

`start_device` and `redeem_device` are for programs that nobody stands behind yet; `find_device` and `decide_device` are
for the person, who is signed in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account import Method
from signoff.domain.account_errors import SignInError
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.device import (
    DEVICE_CODE_LASTS,
    DEVICE_SESSION_IDLE,
    DEVICE_SESSION_LASTS,
    LONGEST_CLIENT,
    POLL_AT_MOST_EVERY,
    POLL_EVERY,
    USER_CODE_LENGTH,
    USER_CODE_LETTERS,
    AccessDeniedError,
    AuthorizationPendingError,
    DeviceExpiredError,
    DeviceRequest,
    DeviceStatus,
    DeviceUnknownError,
    SlowDownError,
    read_user_code,
    show_user_code,
)
from signoff.domain.errors import UnavailableError
from signoff.service.credentials import DEVICE, fingerprint, kind_of, new_secret
from signoff.service.desk import Desk, happened
from signoff.service.limits import DEVICE_CODES, DEVICE_POLLS, USER_CODES, note_attempt, refuse_too_many
from signoff.service.passkeys import check_fresh
from signoff.service.sessions import begin_session
from signoff.store import devices

_TRIES = 5


@dataclass(frozen=True, slots=True)
class StartedDevice:
    """What a program needs that asks to be signed in: its secret, and what to show to its user."""

    secret: str = field(repr=False)
    user_code: str
    address: str
    expires_at: datetime
    every: timedelta


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """The session that a program has got: its secret, shown this once, and whose it is."""

    secret: str = field(repr=False)
    person: str
    expires_at: datetime


def start_device(desk: Desk, *, client: str, address: str) -> StartedDevice:
    """Ask for a program that calls itself `client` to be signed in.

    Raises:
        TooManyAttemptsError: too many programs asked from that address of late.
    """
    refuse_too_many(desk, DEVICE_CODES, address=address)
    note_attempt(desk, DEVICE_CODES, address=address)
    at = desk.clock()
    shown = "".join(letter for letter in client if letter.isprintable())[:LONGEST_CLIENT] or "a program"
    secret = new_secret(DEVICE)
    for _ in range(_TRIES):
        code = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(USER_CODE_LENGTH))
        request = DeviceRequest(code, DeviceStatus.PENDING, shown, address, at, at + DEVICE_CODE_LASTS)
        with desk.database.begin() as tx:
            if devices.add_device(tx, request, fingerprint(secret)):
                return StartedDevice(secret, show_user_code(code), f"{desk.url}/device", request.expires_at, POLL_EVERY)
    raise UnavailableError("No code was free.", "Try again.")


def find_device(desk: Desk, actor: Actor, user_code: str, *, address: str) -> DeviceRequest:
    """Which program asks under this code. Looking decides nothing.

    Raises:
        UserCodeError, DeviceUnknownError: it cannot be a code; no request waits under it.
        TooManyAttemptsError: the person, or somebody at their address, typed too many wrong ones.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    refuse_too_many(desk, USER_CODES, address=address, account=actor.name)
    code = read_user_code(user_code)
    with desk.database.read() as tx:
        found = devices.find_waiting_device(tx, code, at=desk.clock())
    if found is None:
        note_attempt(desk, USER_CODES, address=address, account=actor.name)
        raise _unknown()
    return found


def decide_device(desk: Desk, actor: Actor, user_code: str, *, is_approved: bool, address: str) -> DeviceRequest:
    """Let the program of this code act as the actor, or refuse it.

    Raises:
        StaleSignInError: they are to let it in, and signed in too long ago.
        UserCodeError, DeviceUnknownError, TooManyAttemptsError: as `find_device`.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    found = find_device(desk, actor, user_code, address=address)
    at = desk.clock()
    if is_approved:
        check_fresh(actor, at)
    event = Event.DEVICE_APPROVED if is_approved else Event.DEVICE_DENIED
    said = happened(event, actor, at, session=actor.credential_id, client=found.client, address=found.address)
    with desk.database.begin() as tx:
        status = DeviceStatus.APPROVED if is_approved else DeviceStatus.DENIED
        proved = actor.authenticated_at
        if not devices.decide_device(
            tx, found.user_code, status, person=actor.name, authenticated_at=proved, at=at, audit=[said]
        ):
            raise _unknown()
    return found


def redeem_device(desk: Desk, secret: str, *, address: str) -> DeviceSession:
    """The session of the program with this secret, once its code was confirmed.

    The session does not say that its person has just proved who they are: they did when they signed in.

    Raises:
        AuthorizationPendingError, SlowDownError: not yet; asked too often.
        AccessDeniedError: the person said no, or may not sign in any more.
        DeviceExpiredError: too late, used already, or never a secret of a program.
        TooManyAttemptsError: too many wrong secrets from that address.
    """
    refuse_too_many(desk, DEVICE_POLLS, address=address)
    at = desk.clock()
    with desk.database.begin() as tx:
        sha256 = fingerprint(secret)
        found = devices.poll_device(tx, sha256, at=at) if kind_of(secret) == DEVICE else None
        if found is not None and found.status is DeviceStatus.APPROVED and at < found.expires_at and found.person:
            devices.redeem_device(tx, sha256)
            try:
                session = begin_session(
                    tx,
                    found.person,
                    [Method.DEVICE],
                    at=at,
                    address=address,
                    agent=found.client,
                    lasts=DEVICE_SESSION_LASTS,
                    idle=DEVICE_SESSION_IDLE,
                    authenticated_at=found.authenticated_at,
                )
            except SignInError as error:
                raise _denied() from error
            return DeviceSession(session, found.person, at + DEVICE_SESSION_LASTS)
    if found is None:
        note_attempt(desk, DEVICE_POLLS, address=address)
    raise _why_not(found, at)


def _why_not(found: DeviceRequest | None, at: datetime) -> Exception:
    if found is None or at >= found.expires_at or found.status in {DeviceStatus.REDEEMED, DeviceStatus.APPROVED}:
        return DeviceExpiredError("This request to sign in is over.", "Begin anew: `signoff login`.")
    if found.status is DeviceStatus.DENIED:
        return _denied()
    if found.polled_at is not None and at < found.polled_at + POLL_AT_MOST_EVERY:
        return SlowDownError("Asked again too soon.", f"Wait {POLL_EVERY.seconds} seconds between two questions.")
    return AuthorizationPendingError("Nobody has confirmed the code yet.", "Confirm it in the browser.")


def _denied() -> AccessDeniedError:
    return AccessDeniedError("The sign-in was refused in the browser.", "Begin anew: `signoff login`.")


def _unknown() -> DeviceUnknownError:
    return DeviceUnknownError(
        "No program waits under this code: it is too old, was answered already, or has a slip in it.",
        "Look at the terminal again, or begin anew there: `signoff login`.",
    )
