"""Signing in by an identity provider: there, back, and connecting one's account to it.

Leaving is a link, not a form: browsers let a form of ours lead to ourselves only. Connecting an account begins with a
form all the same, so that no other site can begin it.
"""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from signoff.domain.account_errors import SignOnError
from signoff.service.desk import Desk
from signoff.service.single_sign_on import (
    CALLBACK,
    COMES_BACK_WITHIN,
    begin_connecting,
    begin_sign_on,
    disconnect_identity,
    finish_sign_on,
)
from signoff.web.cookies import SESSION, VISIT, read_cookie, set_cookie
from signoff.web.destination import HOME, safe_path
from signoff.web.flash import Tone
from signoff.web.page import redirect, render
from signoff.web.sign_in import caller, let_in
from signoff.web.visitor import DeskOf, SignedIn, Visitor

router = APIRouter()
Given = Annotated[str, Query(max_length=4000)]


@router.get("/sign-in/single")
def leave(request: Request, desk: DeskOf, next: Given = HOME) -> Response:  # noqa: A002 - the query's name
    """Go to the provider; what ties the answer to this browser is its visit."""
    visit = read_cookie(request, VISIT) or secrets.token_urlsafe(24)
    response = Response(status_code=303)
    response.headers["Location"] = begin_sign_on(desk, visit, safe_path(next))
    set_cookie(request, response, VISIT, visit, lasts=2 * COMES_BACK_WITHIN)
    return response


@router.get(CALLBACK)
def come_back(
    request: Request,
    desk: DeskOf,
    visitor: Visitor,
    state: Given = "",
    code: Given = "",
    error: Given = "",
    iss: Given = "",
) -> Response:
    """Let in whom the provider vouches for, or connect the account that began this."""
    try:
        _check_answer(desk, error, code, iss)
        secret = read_cookie(request, SESSION)
        session = (secret, visitor) if secret is not None and visitor is not None else None
        visit = read_cookie(request, VISIT)
        arrival = finish_sign_on(desk, state=state, code=code, visit=visit, session=session, **caller(request))
    except SignOnError as refused:
        path = "/account" if visitor is not None else "/sign-in"
        return redirect(request, path, f"{refused.what} {refused.hint}", Tone.DANGER)
    if arrival.session is None:
        return redirect(request, arrival.return_to, "Your account is connected; you can sign in with it from now on.")
    return let_in(request, desk, visitor, arrival.session, arrival.return_to)


def _check_answer(desk: Desk, error: str, code: str, issuer: str) -> None:
    """Return when the provider that was asked sent a code; `issuer` is who says to have answered (RFC 9207)."""
    if error or not code:
        raise SignOnError("The sign-in provider did not let you in.", "Begin once more, or ask its administrator.")
    if issuer and desk.identity is not None and issuer != desk.identity.issuer:
        raise SignOnError("Another provider answered than the one that was asked.", "Begin once more.")


@router.post("/account/single/connect")
def connect(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """Begin to connect one's account; the page that follows has the link to the provider."""
    address = begin_connecting(desk, actor, read_cookie(request, SESSION) or "")
    return render(request, "connect.html", address=address, provider=desk.identity)


@router.post("/account/single/disconnect")
def disconnect(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """Take that way in away again."""
    disconnect_identity(desk, actor)
    return redirect(request, "/account", "That account is no way in any more.")
