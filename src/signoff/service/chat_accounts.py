"""Who in a chat is who here. Two must say so: somebody in the chat gets a code there, and somebody signed in takes it.

Whoever is linked approves from the chat, where an environment takes that; so the code says to whom it was shown, and
taking it needs a sign-in of a short while ago.
"""

from __future__ import annotations

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.chat import ChatAccount, ChatTakenError, ChatUnknownError, ChatUser
from signoff.service.credentials import fingerprint
from signoff.service.desk import Desk, happened
from signoff.service.passkeys import check_fresh
from signoff.store import chat


def list_my_chats(desk: Desk, actor: Actor) -> list[ChatAccount]:
    """The users of chats that are the actor."""
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    with desk.database.read() as tx:
        return chat.list_accounts(tx, person=actor.name)


def list_chats(desk: Desk, actor: Actor) -> list[ChatAccount]:
    """Every linked user of a chat, for administrators."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return chat.list_accounts(tx)


def find_chat(desk: Desk, actor: Actor, code: str) -> ChatUser:
    """Who in a chat was shown this code. Looking links nobody.

    Raises:
        ChatUnknownError: nobody, or it is too old, or used.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    with desk.database.read() as tx:
        found = chat.find_code(tx, fingerprint(code), at=desk.clock())
    if found is None:
        raise _unknown_code()
    return found


def link_chat(desk: Desk, actor: Actor, code: str) -> ChatAccount:
    """Say that the user of the chat who was shown this code is the actor.

    Raises:
        ChatUnknownError: as `find_chat`.
        ChatTakenError: that user is somebody here already.
        StaleSignInError: the actor signed in too long ago.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    check_fresh(actor, at)
    with desk.database.begin() as tx:
        who = chat.take_code(tx, fingerprint(code), at=at)
        if who is None:
            raise _unknown_code()
        account = ChatAccount(who, actor.name, at)
        linked = happened(Event.CHAT_LINKED, actor, at, person=actor.name, **_said(who))
        if not chat.add_account(tx, account, audit=[linked]):
            raise ChatTakenError(
                f"{who.said} is linked already.", "Whoever it is linked to, or an administrator, can end that."
            )
    return account


def refuse_chat(desk: Desk, actor: Actor, code: str) -> ChatUser:
    """Say that the user of the chat who was shown this code is not the actor: the code is good for nothing any more.

    Raises:
        ChatUnknownError: as `find_chat`.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    with desk.database.begin() as tx:
        who = chat.take_code(tx, fingerprint(code), at=desk.clock())
    if who is None:
        raise _unknown_code()
    return who


def unlink_chat(desk: Desk, actor: Actor, team: str, user: str) -> ChatAccount:
    """A user of a chat is nobody here any more: one's own, or anybody's for an administrator.

    Raises:
        ChatUnknownError: they are nobody already, or it is not the actor's to say.
    """
    at = desk.clock()
    with desk.database.begin() as tx:
        found = chat.find_account(tx, team, user)
        authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
        if found is None or not actor.may_manage(found.person):
            raise ChatUnknownError("No such user of a chat is linked.", "Your settings show yours.")
        ended = happened(Event.CHAT_UNLINKED, actor, at, person=found.person, **_said(found.who))
        chat.remove_account(tx, found.who, audit=[ended])
    return found


def _said(who: ChatUser) -> dict[str, str]:
    return {"team": who.team, "user": who.user, "called": who.said}


def _unknown_code() -> ChatUnknownError:
    return ChatUnknownError(
        "This link is good for nothing any more: it was used, is too old, or a newer one took its place.",
        "Press Approve in the chat once more: it sends another.",
    )
