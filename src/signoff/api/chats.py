"""Routes about who in a chat is who here. They are linked on the pages, by a link that only the chat shows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from signoff.api.request import ActorOf, DeskOf
from signoff.domain.chat import ChatAccount
from signoff.service import chat_accounts
from signoff.wire.body import Page
from signoff.wire.notifications import ChatAccountBody

router = APIRouter(tags=["notifications"])
Id = Annotated[str, Path(max_length=200)]


@router.get("/chats")
def list_chats(desk: DeskOf, actor: ActorOf) -> Page[ChatAccountBody]:
    """Every linked user of a chat."""
    return Page(items=[_account(one) for one in chat_accounts.list_chats(desk, actor)])


@router.get("/me/chats")
def list_my_chats(desk: DeskOf, actor: ActorOf) -> Page[ChatAccountBody]:
    """The users of chats that are the caller."""
    return Page(items=[_account(one) for one in chat_accounts.list_my_chats(desk, actor)])


@router.delete("/chats/{team}/{user}")
def unlink_chat(team: Id, user: Id, desk: DeskOf, actor: ActorOf) -> ChatAccountBody:
    """A user of a chat is nobody here any more: the caller's own, or anybody's for an administrator."""
    return _account(chat_accounts.unlink_chat(desk, actor, team, user))


def _account(one: ChatAccount) -> ChatAccountBody:
    who = one.who
    return ChatAccountBody(
        team=who.team, user=who.user, name=who.name, team_name=who.team_name, person=one.person, linked_at=one.at
    )
