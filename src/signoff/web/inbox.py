"""The inbox: what waits for me first, then what I asked for and others have to answer."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from signoff.domain.access import Do, why_not
from signoff.service import catalogue, views
from signoff.service.inbox import list_inbox
from signoff.web.page import render
from signoff.web.visitor import DeskOf, SignedIn

router = APIRouter()
MOST = 50
"""So many at most are shown of what waits for the reader: the oldest."""


@router.get("/")
def inbox(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """The page."""
    newest = views.settled_event(desk, actor)  # before everything else: what comes in between is told by the stream
    found = list_inbox(desk, actor, limit=MOST)
    mine = [item for item in found if item.standing.can_decide]
    others = [item for item in found if not item.standing.can_decide]
    has_any = bool(found) or catalogue.has_models(desk, actor)
    can_submit = why_not(actor, Do.SUBMIT) is None
    return render(
        request,
        "inbox.html",
        mine=mine,
        others=others,
        has_any=has_any,
        can_submit=can_submit,
        server=desk.url,
        most=MOST,
        newest=newest,
    )
