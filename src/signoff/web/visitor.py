"""Who looks at a page: the person of the session in the cookie, or nobody yet."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from signoff.domain.actor import Actor, Credential
from signoff.domain.errors import NotAuthenticatedError
from signoff.service.credentials import kind_of
from signoff.service.desk import Desk
from signoff.service.sessions import authenticate
from signoff.web.cookies import SESSION, read_cookie


async def desk_of(request: Request) -> Desk:
    """The desk that the composition root gave the application; async, for it would else cost a thread's turn."""
    desk: Desk = request.app.state.desk
    return desk


DeskOf = Annotated[Desk, Depends(desk_of)]


def visitor(request: Request, desk: DeskOf) -> Actor | None:
    """Who is signed in in this browser; None when nobody is, or not any more."""
    request.state.actor = None
    request.state.why_not_signed_in = None
    secret = read_cookie(request, SESSION)
    if secret is None or kind_of(secret) != Credential.SESSION:
        return None
    try:
        request.state.actor = authenticate(desk, secret)
    except NotAuthenticatedError as error:
        request.state.why_not_signed_in = error
    actor: Actor | None = request.state.actor
    return actor


Visitor = Annotated[Actor | None, Depends(visitor)]


def signed_in(request: Request, found: Visitor) -> Actor:
    """Who is signed in; NotAuthenticatedError (which leads to the sign-in page) when nobody is."""
    if found is not None:
        return found
    why = request.state.why_not_signed_in
    raise why or NotAuthenticatedError("This page is for people who are signed in.", "Sign in.")


SignedIn = Annotated[Actor, Depends(signed_in)]
