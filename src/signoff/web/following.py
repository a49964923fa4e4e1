"""The streams that live pages follow: one for a run, one for lists."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import State

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor
from signoff.service import views
from signoff.service.desk import Desk
from signoff.service.streams import Streams
from signoff.store.listening import Listening
from signoff.web.live import EVERYTHING, Hub
from signoff.web.visitor import DeskOf, SignedIn

router = APIRouter()
_LARGEST = 2**62
LastEvent = Annotated[int, Header(alias="last-event-id", ge=0, le=_LARGEST)]
Last = Annotated[int, Query(ge=0, le=_LARGEST)]


def hub_of(state: State, desk: Desk) -> Hub:
    """The one hub of this application; made for the first who follows."""
    known: tuple[Desk, Hub] | None = getattr(state, "hub", None)
    if known is not None and known[0] is desk:
        return known[1]
    if known is not None:
        known[1].stop()
    url = desk.database.url
    state.hub = (desk, Hub(lambda tell: Listening(url, tell)))
    hub: Hub = state.hub[1]
    return hub


def _found(run_id: str, desk: DeskOf, actor: SignedIn) -> str:
    """The run's whole id, before the stream begins."""
    return views.find_run(desk, actor, run_id)


@router.get("/runs/{run_id}/live")
async def follow_run(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    found: Annotated[str, Depends(_found)],
    last_event_id: LastEvent = 0,
    last: Last = 0,
) -> StreamingResponse:
    """Tells that something about the run changed; resumes after `Last-Event-ID`."""
    newest = partial(views.newest_event, desk, actor, run_id=found)
    stream = hub_of(request.app.state, desk).follow(found, last=last_event_id or last, newest=newest)
    return _answer(request, actor, stream)


@router.get("/live")
async def follow_everything(
    request: Request, desk: DeskOf, actor: SignedIn, last_event_id: LastEvent = 0, last: Last = 0
) -> StreamingResponse:
    """Tells lists that something changed somewhere, also between the page and its stream; resumes likewise."""
    authorize(actor, Do.READ)
    newest = partial(views.newest_event, desk, actor)
    stream = hub_of(request.app.state, desk).follow(EVERYTHING, last=last_event_id or last, newest=newest)
    return _answer(request, actor, stream)


def _answer(request: Request, actor: Actor, stream: AsyncGenerator[str]) -> StreamingResponse:
    streams: Streams = request.app.state.streams
    streams.check(actor.name)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_counted(streams, actor, stream), media_type="text/event-stream", headers=headers)


async def _counted(streams: Streams, actor: Actor, stream: AsyncGenerator[str]) -> AsyncGenerator[str]:
    with streams.one_more(actor.name):
        async with aclosing(stream):
            async for text in stream:
                yield text
