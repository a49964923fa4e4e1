"""Deployments: environments as columns, what serves in each, emergencies and what they owe, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from signoff.domain.access import Do, Resource, why_not
from signoff.domain.actor import Actor
from signoff.domain.drift import Drift
from signoff.domain.environment import Deployment, Environment
from signoff.domain.errors import SignoffError
from signoff.service import adopting, catalogue, drifts, emergencies, rollbacks, views
from signoff.service.desk import Desk
from signoff.web.page import redirect, render
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.cursor import cursor_of, read_cursor
from signoff.wire.statuses import status_of

router = APIRouter()
_HISTORY = 50
_LONG = Annotated[str, Form(max_length=2000)]
_SHORT = Annotated[str, Form(max_length=255)]


@dataclass(frozen=True, slots=True)
class Live:
    """One model that serves in an environment: since when, what could come back, and what the reader may do."""

    deployment: Deployment
    former: tuple[str, ...]
    can_roll_back: bool


@dataclass(frozen=True, slots=True)
class Column:
    """An environment: what is live in it, what demands and freezes hold, and who may break the glass there."""

    environment: Environment
    live: tuple[Live, ...]
    frozen: str
    can_break_glass: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What runs and was not signed off, and what the reader may do about it."""

    drift: Drift
    can_adopt: bool
    can_put_back: bool


@router.get("/deployments")
def show_deployments(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    model: Annotated[str, Query(max_length=255)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Every environment side by side; with a cursor older deployments."""
    return _page(request, desk, actor, model=model, cursor=cursor)


@router.post("/deployments/roll-back")
def roll_back(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    environment: _SHORT,
    model: _SHORT,
    why: _LONG = "",
    to: _SHORT = "",
) -> Response:
    """Bring a former version back."""
    try:
        rollbacks.roll_back(desk, actor, environment, model, to=to or None, why=why)
    except SignoffError as error:
        return _page(request, desk, actor, problem=error, typed={"place": f"{environment} {model}", "why": why})
    return redirect(request, "/deployments", f"The former version of {model} is on its way back to {environment}.")


@router.post("/deployments/adopt")
def adopt(
    request: Request, desk: DeskOf, actor: SignedIn, environment: _SHORT, model: _SHORT, why: _LONG = ""
) -> Response:
    """Take in what ran before signoff came."""
    try:
        adopting.adopt_version(desk, actor, environment, model, why=why)
    except SignoffError as error:
        return _page(request, desk, actor, problem=error, typed={"place": f"drift {environment} {model}", "why": why})
    said = f"{model} in {environment} is adopted, not approved: its review is owed."
    return redirect(request, "/deployments", said)


@router.post("/deployments/break-glass")
def break_glass(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    environment: _SHORT,
    model: _SHORT,
    reference: _SHORT = "",
    why: _LONG = "",
) -> Response:
    """Ask for a deployment without review."""
    try:
        emergencies.break_glass(desk, actor, environment, model.strip(), reference=reference.strip(), why=why)
    except SignoffError as error:
        return _page(request, desk, actor, problem=error, typed={"place": f"glass {environment}", "why": why})
    return redirect(request, "/deployments", "It is asked for; the others who may confirm it see it here.")


@router.post("/deployments/emergencies/{emergency_id}/confirm")
def confirm(request: Request, emergency_id: str, desk: DeskOf, actor: SignedIn, digest: _SHORT) -> Response:
    """Confirm an emergency."""
    emergencies.confirm_emergency(desk, actor, emergency_id, digest=digest)
    return redirect(request, "/deployments", "You confirmed it.")


@router.post("/deployments/emergencies/cancel")
def cancel(request: Request, desk: DeskOf, actor: SignedIn, environment: _SHORT, model: _SHORT) -> Response:
    """Call an emergency off."""
    emergencies.cancel_emergency(desk, actor, environment, model)
    return redirect(request, "/deployments", "It is called off.")


def _page(
    request: Request,
    desk: Desk,
    actor: Actor,
    *,
    model: str = "",
    cursor: str | None = None,
    problem: SignoffError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    wanted = model.strip() or None
    newest = views.settled_event(desk, actor)
    history = catalogue.list_deployments(desk, actor, model=wanted, before=read_cursor(cursor), limit=_HISTORY)
    following = None
    if len(history) == _HISTORY:
        older = {"model": wanted or "", "cursor": cursor_of(history[-1].started_at, history[-1].id)}
        following = f"/deployments?{urlencode({name: value for name, value in older.items() if value})}"
    places = catalogue.list_environments(desk, actor, model=wanted)
    former = catalogue.list_former(desk, actor, {one.model for _, live in places for one in live})
    now = desk.clock()
    columns = [
        Column(
            environment,
            tuple(_live(actor, one, former.get((one.environment, one.model), ())) for one in live),
            environment.frozen(now),
            environment.break_glass is not None and why_not(actor, Do.BREAK_GLASS) is None,
        )
        for environment, live in places
    ]
    return render(
        request,
        "deployments.html",
        status=status_of(problem).value if problem is not None else 200,
        columns=columns,
        history=history,
        following=following,
        is_first=cursor is None,
        found_drifts=[_found(actor, one) for one in drifts.list_drifts(desk, actor, model=wanted)],
        open_emergencies=emergencies.list_emergencies(desk, actor),
        model=model,
        problem=problem,
        typed=typed or {},
        newest=newest,
    )


def _found(actor: Actor, one: Drift) -> Found:
    may_adopt = why_not(actor, Do.ADOPT, Resource(one.model)) is None
    may_roll_back = why_not(actor, Do.ROLL_BACK, Resource(one.model)) is None
    return Found(one, one.is_unknown and may_adopt, not one.is_unknown and may_roll_back)


def _live(actor: Actor, one: Deployment, former: tuple[str, ...]) -> Live:
    """`former` are the versions that were live there; whether one may come back the service decides."""
    others = tuple(version for version in former if version != one.version)
    may = why_not(actor, Do.ROLL_BACK, Resource(one.model)) is None
    return Live(one, others, may and bool(others))
