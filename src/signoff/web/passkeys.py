"""Passkeys on pages: the second factor of a sign-in, and adding and removing one's own. They need JavaScript."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from signoff.domain.account_errors import PasskeyError
from signoff.service.challenges import Answer
from signoff.service.passkeys import begin_adding, finish_adding, finish_second_factor, remove_passkey
from signoff.web.cookies import VISIT, read_cookie
from signoff.web.destination import HOME, safe_path, sign_in_address
from signoff.web.flash import Tone
from signoff.web.page import redirect, render
from signoff.web.sign_in import caller, let_in
from signoff.web.visitor import DeskOf, SignedIn, Visitor

router = APIRouter()
Typed = Annotated[str, Form(max_length=1000)]
Credential = Annotated[str, Form(max_length=20_000)]


@router.post("/sign-in/passkey")
def take_second_factor(
    request: Request,
    desk: DeskOf,
    visitor: Visitor,
    question: Typed = "",
    credential: Credential = "",
    next: Typed = HOME,  # noqa: A002 - the form's name
) -> Response:
    """Let in who gave their password before and now used their passkey."""
    browser = read_cookie(request, VISIT) or ""
    try:
        secret = finish_second_factor(desk, browser, Answer(question, credential), **caller(request))
    except PasskeyError as error:
        return redirect(request, sign_in_address(next), f"{error.what} {error.hint}", Tone.DANGER)
    return let_in(request, desk, visitor, secret, safe_path(next))


@router.post("/account/passkeys/new")
def ask_new(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """The page on which a device makes a passkey."""
    return render(request, "passkey_new.html", question=begin_adding(desk, actor))


@router.post("/account/passkeys")
def take_new(
    request: Request, desk: DeskOf, actor: SignedIn, name: Typed = "", question: Typed = "", credential: Credential = ""
) -> Response:
    """Keep it."""
    try:
        added = finish_adding(desk, actor, name, Answer(question, credential))
    except PasskeyError as error:
        return redirect(request, "/account", f"{error.what} {error.hint}", Tone.DANGER)
    return redirect(request, "/account", f"{added.name} is a passkey of yours now; it is asked for at every sign-in.")


@router.post("/account/passkeys/remove")
def take_away(request: Request, desk: DeskOf, actor: SignedIn, passkey: Typed = "") -> Response:
    """Forget one."""
    remove_passkey(desk, actor, passkey)
    return redirect(request, "/account", "That passkey is forgotten.")
