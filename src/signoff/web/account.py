"""One's own account: password and sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from signoff.domain.account_errors import PasswordError, SignInError, TooManyAttemptsError
from signoff.domain.actor import Actor
from signoff.domain.errors import SignoffError
from signoff.service.accounts import change_password, set_password
from signoff.service.desk import Desk
from signoff.service.passkeys import list_passkeys
from signoff.service.sessions import list_sessions, revoke_other_sessions, revoke_session
from signoff.service.single_sign_on import get_ways_in
from signoff.web.page import redirect, render
from signoff.web.sign_in import caller, check_same
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.statuses import status_of

router = APIRouter(prefix="/account")
Typed = Annotated[str, Form(max_length=1000)]


@router.get("")
def show_account(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """How one signs in, and where one is signed in."""
    return _page(request, desk, actor)


def _page(request: Request, desk: Desk, actor: Actor, problem: SignoffError | None = None) -> Response:
    status = status_of(problem).value if problem is not None else 200
    values = {"sessions": list_sessions(desk, actor), "ways": get_ways_in(desk, actor), "provider": desk.identity}
    values |= {"passkeys": list_passkeys(desk, actor)}
    return render(request, "account.html", status=status, problem=problem, **values)


@router.post("/password")
def take_password(
    request: Request, desk: DeskOf, actor: SignedIn, current: Typed = "", password: Typed = "", again: Typed = ""
) -> Response:
    """Change the password; every other session ends."""
    try:
        check_same(password, again)
        if get_ways_in(desk, actor).has_password:
            change_password(desk, actor, current, password, address=caller(request)["address"])
        else:
            set_password(desk, actor, password)
    except SignInError:
        refusal = PasswordError("The present password is not right.", "Type it once more.")
        return _page(request, desk, actor, refusal)
    except (PasswordError, TooManyAttemptsError) as error:
        return _page(request, desk, actor, error)
    return redirect(request, "/account", "Your password is changed. Everywhere else you are signed out.")


@router.post("/sessions/{session_id}/end")
def end_session(request: Request, desk: DeskOf, actor: SignedIn, session_id: str) -> Response:
    """End one session."""
    revoke_session(desk, actor, session_id)
    return redirect(request, "/account", "That session is over.")


@router.post("/sessions/end-others")
def end_other_sessions(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """End every session but this one."""
    ended = revoke_other_sessions(desk, actor)
    return redirect(request, "/account", f"{ended} other session{'' if ended == 1 else 's'} ended.")
