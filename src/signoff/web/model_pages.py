"""Models: all of them, and one with its versions as a timeline: who signed each, until when, and where it is."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from signoff.domain.access import Do, Resource, why_not
from signoff.service import catalogue, revocations, views
from signoff.service.deployed import Deployed
from signoff.service.timeline import get_timeline
from signoff.web.page import redirect, render
from signoff.web.visitor import DeskOf, SignedIn

router = APIRouter()
_PAGE = 30


@router.get("/models")
def list_models(
    request: Request, desk: DeskOf, actor: SignedIn, after: Annotated[str | None, Query(max_length=255)] = None
) -> Response:
    """Every model that the reader may see, by name."""
    newest = views.settled_event(desk, actor)
    found = catalogue.list_models(desk, actor, after=after, limit=_PAGE)
    following = f"/models?{urlencode({'after': found[-1].name})}" if len(found) == _PAGE else None
    live = [(model.name, one) for model in found for one in model.deployments if isinstance(one, Deployed)]
    warned = {name for name, one in live if one.warning or one.drift}
    return render(
        request,
        "model_list.html",
        found=found,
        following=following,
        warned=warned,
        is_first=after is None,
        newest=newest,
    )


@router.get("/models/{name}")
def show_model(request: Request, name: str, desk: DeskOf, actor: SignedIn) -> Response:
    """One model."""
    newest = views.settled_event(desk, actor)
    timeline = get_timeline(desk, actor, name)
    can_revoke = why_not(actor, Do.REVOKE, Resource(name)) is None
    return render(request, "model.html", timeline=timeline, can_revoke=can_revoke, newest=newest)


@router.post("/models/{name}/versions/{version}/revoke")
def revoke(
    request: Request,
    name: str,
    version: str,
    desk: DeskOf,
    actor: SignedIn,
    why: Annotated[str, Form(max_length=2000)] = "",
    roll_back: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Take back what was approved of a version."""
    found = revocations.revoke_version(desk, actor, name, version, why=why, roll_back=bool(roll_back))
    still = [name for name, _ in found.not_rolled_back]
    more = f" {', '.join(still)} could not be rolled back: see the banner." if still else ""
    return redirect(request, f"/models/{name}", f"The approval of v{version} is revoked.{more}")
