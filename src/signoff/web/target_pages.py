"""Notification targets, for administrators: defined, tried, paused, resumed and removed, and what went through them.

Shown among the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from signoff.domain.actor import Actor
from signoff.domain.errors import InvalidError, SignoffError
from signoff.domain.target import DeliveryStatus, TargetKind
from signoff.service import targets
from signoff.service.desk import Desk
from signoff.web.destination import safe_path
from signoff.web.page import redirect, render
from signoff.web.settings_page import settings_page
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.cursor import cursor_of, read_cursor

router = APIRouter(prefix="/settings")
_Text = Annotated[str, Form(max_length=2000)]
HERE = "/settings#targets"
_PAGE = 50


@router.post("/targets")
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
            raise InvalidError("Through what it tells was not said.", "Choose webhook, slack or chat.")
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


@router.get("/targets/{name}")
def show(
    request: Request,
    name: str,
    desk: DeskOf,
    actor: SignedIn,
    state: Annotated[str, Query(max_length=20)] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """What was sent through a target, and what was answered."""
    if state and state not in set(DeliveryStatus):
        raise InvalidError(f"There is no state called {state[:20]}.", "Go back to the target.")
    target = targets.get_target(desk, actor, name)
    status = DeliveryStatus(state) if state else None
    found = targets.list_deliveries(desk, actor, target=name, status=status, before=read_cursor(cursor), limit=_PAGE)
    here = f"/settings/targets/{quote(name, safe='')}"
    following = None
    if len(found) == _PAGE:
        wanted = {"state": state, "cursor": cursor_of(found[-1].made_at, found[-1].id)}
        following = f"{here}?{urlencode({key: value for key, value in wanted.items() if value})}"
    return render(
        request,
        "target.html",
        target=target,
        deliveries=found,
        state=state,
        following=following,
        can_repeat=True,
        back=here,
    )


@router.post("/deliveries/{delivery_id}/redeliver")
def redeliver(
    request: Request,
    delivery_id: str,
    desk: DeskOf,
    actor: SignedIn,
    back: Annotated[str, Form(max_length=2000)] = "/settings",
) -> Response:
    """Send a delivery once more, under the same id."""
    again = targets.redeliver(desk, actor, delivery_id)
    return redirect(request, safe_path(back), f"{again.person or again.target} is told once more.")


@router.post("/targets/{name}/{what}")
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
