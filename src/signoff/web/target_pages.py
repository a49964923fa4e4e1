"""Notification targets, for administrators: defined, tried, paused, resumed and removed. Shown among the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from signoff.domain.actor import Actor
from signoff.domain.errors import InvalidError, SignoffError
from signoff.domain.target import TargetKind
from signoff.service import targets
from signoff.service.desk import Desk
from signoff.web.page import redirect
from signoff.web.settings_page import settings_page
from signoff.web.visitor import DeskOf, SignedIn

router = APIRouter(prefix="/settings/targets")
_Text = Annotated[str, Form(max_length=2000)]
HERE = "/settings#targets"


@router.post("")
def add(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    name: _Text = "",
    kind: _Text = "",
    url: _Text = "",
    events: _Text = "*",
    models: _Text = "",
) -> Response:
    """Define a target; a webhook's secret is shown this once."""
    try:
        if kind not in set(TargetKind):
            raise InvalidError("Through what it tells was not said.", "Choose webhook or chat.")
        made = targets.add_target(
            desk,
            actor,
            name.strip(),
            kind=TargetKind(kind),
            url=url.strip(),
            events=events.split() or ["*"],
            models=models.replace(",", " ").split(),
        )
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="targets")
    if made.secret is not None:
        return settings_page(request, desk, actor, secret=made.secret.reveal(), section="targets")
    return redirect(request, HERE, f"{name} is told from now on.")


@router.post("/{name}/{what}")
def turn(request: Request, name: str, what: str, desk: DeskOf, actor: SignedIn) -> Response:
    """Try, pause, resume or remove a target."""
    done: dict[str, tuple[Callable[[Desk, Actor, str], object], str]] = {
        "try": (targets.try_target, f"Something harmless is on its way to {name}."),
        "pause": (targets.pause_target, f"{name} is paused."),
        "resume": (targets.resume_target, f"{name} is told again."),
        "remove": (targets.remove_target, f"{name} is gone."),
    }
    try:
        if what not in done:
            raise InvalidError(f"Nothing is called {what[:30]}.", "Go back to the settings.")
        act, words = done[what]
        act(desk, actor, name)
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="targets")
    return redirect(request, HERE, words)
