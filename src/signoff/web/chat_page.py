"""The page on which somebody says that a user of a chat is them, by the link that they were shown there."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from signoff.domain.chat import ChatTakenError, ChatUnknownError, ChatUser
from signoff.domain.errors import SignoffError
from signoff.service import chat_accounts
from signoff.web.flash import Tone
from signoff.web.page import redirect, render
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.statuses import status_of

router = APIRouter(prefix="/settings/chat")
Code = Annotated[str, Form(max_length=100)]
HERE = "/settings/notifications#chats"


@router.get("")
def show(request: Request, desk: DeskOf, actor: SignedIn, code: str = "") -> Response:
    """Who in the chat was shown the link. Looking links nobody."""
    try:
        return _page(request, chat_accounts.find_chat(desk, actor, code[:100]), code)
    except ChatUnknownError as error:
        return _page(request, problem=error)


@router.post("")
def take(
    request: Request, desk: DeskOf, actor: SignedIn, answer: Annotated[Literal["yes", "no"], Form()], code: Code = ""
) -> Response:
    """Say that it is me, or that it is not."""
    try:
        if answer == "no":
            refused = chat_accounts.refuse_chat(desk, actor, code)
            return redirect(request, HERE, f"{refused.said} is not linked to you.", Tone.INFO)
        linked = chat_accounts.link_chat(desk, actor, code)
    except (ChatUnknownError, ChatTakenError) as error:
        return _page(request, problem=error)
    return redirect(request, HERE, f"{linked.who.said} is you from now on: go back to the chat.")


@router.post("/unlink")
def unlink(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    team: Annotated[str, Form(max_length=200)] = "",
    user: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """A user of a chat decides for nobody any more."""
    ended = chat_accounts.unlink_chat(desk, actor, team, user)
    back = HERE if ended.person == actor.name else "/settings#targets"
    return redirect(request, back, f"{ended.who.said} is nobody here any more.")


def _page(
    request: Request, found: ChatUser | None = None, code: str = "", problem: SignoffError | None = None
) -> Response:
    status = status_of(problem).value if problem is not None else 200
    return render(request, "chat.html", status=status, found=found, code=code, problem=problem)
