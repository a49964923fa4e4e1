"""Signing in and out, and the one-time links by which people set their first or next password."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from signoff.domain.account import SESSION_LASTS, Method, Purpose
from signoff.domain.account_errors import (
    PasswordError,
    PersonError,
    SecondFactorError,
    SignInError,
    TooManyAttemptsError,
)
from signoff.domain.actor import Actor
from signoff.service.accounts import find_link, use_link
from signoff.service.desk import Desk
from signoff.service.passkeys import begin_second_factor
from signoff.service.sessions import revoke_session
from signoff.service.sessions import sign_in as sign_in_by_password
from signoff.web.cookies import SESSION, VISIT, drop_cookie, read_cookie, set_cookie
from signoff.web.destination import HOME, safe_path
from signoff.web.page import redirect, render
from signoff.web.visitor import DeskOf, Visitor
from signoff.wire.statuses import status_of

router = APIRouter()
Typed = Annotated[str, Form(max_length=1000)]
_HEADLINES = {
    Purpose.FIRST_ADMIN: "Set up the first administrator",
    Purpose.INVITE: "Welcome to signoff",
    Purpose.RESET: "Set a new password",
}


def caller(request: Request) -> dict[str, str]:
    """Where a sign-in comes from, as its session remembers it."""
    return {
        "address": request.client.host if request.client is not None else "",
        "agent": request.headers.get("user-agent", ""),
    }


def let_in(
    request: Request, desk: Desk, former: Actor | None, secret: str, path: str, said: str | None = None
) -> Response:
    """Give the browser its session, end the `former` one that it had, and go on to `path`."""
    if former is not None and former.credential_id is not None and Method.FILE not in former.methods:
        revoke_session(desk, former, former.credential_id)
    response = redirect(request, path, said)
    set_cookie(request, response, SESSION, secret, lasts=SESSION_LASTS)
    if read_cookie(request, VISIT) is not None:
        drop_cookie(request, response, VISIT)
    return response


def check_same(password: str, again: str) -> None:
    """PasswordError when what was typed twice is not the same."""
    if password != again:
        raise PasswordError("The two passwords are not the same.", "Type both once more.")


@router.get("/sign-in")
def show_sign_in(request: Request, desk: DeskOf, visitor: Visitor, next: str = HOME, again: bool = False) -> Response:  # noqa: A002
    """The form; whoever is signed in already goes on, unless they are to do it `again`."""
    if visitor is not None and not again:
        return redirect(request, safe_path(next))
    return render(request, "sign_in.html", next=safe_path(next), name="", problem=None, provider=desk.identity)


@router.post("/sign-in")
def take_sign_in(
    request: Request,
    desk: DeskOf,
    visitor: Visitor,
    name: Typed = "",
    password: Typed = "",
    next: Typed = HOME,  # noqa: A002 - the form's name
) -> Response:
    """Open a session for whoever knows the password."""
    try:
        secret = sign_in_by_password(desk, name.strip(), password, **caller(request))
    except SecondFactorError:
        return _ask_second_factor(request, desk, name.strip(), safe_path(next))
    except (SignInError, TooManyAttemptsError) as error:
        values = {"next": safe_path(next), "name": name, "problem": error, "provider": desk.identity}
        return render(request, "sign_in.html", status=status_of(error).value, **values)
    return let_in(request, desk, visitor, secret, safe_path(next))


def _ask_second_factor(request: Request, desk: Desk, name: str, path: str) -> Response:
    """The page that asks for the passkey of somebody whose password was right; the answer counts in this browser."""
    visit = read_cookie(request, VISIT) or secrets.token_urlsafe(24)
    question = begin_second_factor(desk, name, visit)
    response = render(request, "second_factor.html", question=question, name=name, next=path)
    set_cookie(request, response, VISIT, visit)
    return response


@router.post("/sign-out")
def sign_out(request: Request, desk: DeskOf, visitor: Visitor) -> Response:
    """End the present session, here and on the server."""
    if visitor is not None and visitor.credential_id is not None:
        revoke_session(desk, visitor, visitor.credential_id)
    response = redirect(request, "/sign-in", "You are signed out.")
    drop_cookie(request, response, SESSION)
    return response


@router.get("/link")
def show_link(request: Request, desk: DeskOf, code: str = "") -> Response:
    """What a one-time link is for, and the form that uses it. Looking at it does not use it up."""
    link = find_link(desk, code, address=caller(request)["address"])
    return render(request, "link.html", link=link, headline=_HEADLINES[link.purpose], code=code, name="", problem=None)


@router.post("/link")
def take_link(
    request: Request,
    desk: DeskOf,
    visitor: Visitor,
    code: Typed = "",
    name: Typed = "",
    password: Typed = "",
    again: Typed = "",
) -> Response:
    """Set the password and sign in."""
    link = find_link(desk, code, address=caller(request)["address"])
    try:
        check_same(password, again)
        secret = use_link(desk, code, password, name=name, **caller(request))
    except (PasswordError, PersonError) as error:
        values = {"link": link, "headline": _HEADLINES[link.purpose], "code": code, "name": name, "problem": error}
        return render(request, "link.html", status=status_of(error).value, **values)
    return let_in(request, desk, visitor, secret, HOME, "Your password is set, and you are signed in.")
