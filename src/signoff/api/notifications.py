"""Routes about targets, deliveries, how one is told, and the link that ends mails."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse

from signoff.api.request import ActorOf, DeskOf
from signoff.domain.preferences import Pace, Preferences, WorkingHours, checked
from signoff.domain.target import Delivery, DeliveryStatus, Target, TargetKind
from signoff.service import notifications, targets
from signoff.wire.body import Page
from signoff.wire.cursor import cursor_of, read_cursor
from signoff.wire.notifications import (
    DeliveryBody,
    HoursBody,
    MadeTargetBody,
    PauseRequest,
    PreferencesBody,
    TargetBody,
    TargetRequest,
)

router = APIRouter(tags=["notifications"])
Name = Annotated[str, Path(max_length=100)]
Word = Annotated[str, Path(max_length=100)]

_ASK = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>No more mails?</title></head>'
    "<body><main><h1>No more mails from signoff?</h1><p>{name} will be told of emergencies only.</p>"
    '<form method="post"><button>No more mails</button></form></main></body></html>'
)
_DONE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>No more mails</title></head>'
    "<body><main><h1>No more mails</h1><p>{name} is told of emergencies only. "
    "<code>signoff notify --pace instant</code> takes that back.</p></main></body></html>"
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@router.get("/targets")
def list_targets(desk: DeskOf, actor: ActorOf) -> Page[TargetBody]:
    """Every target."""
    return Page(items=[_target(target) for target in targets.list_targets(desk, actor)])


@router.post("/targets", status_code=201)
def add_target(body: TargetRequest, desk: DeskOf, actor: ActorOf) -> MadeTargetBody:
    """Define a target. A webhook's secret is in the answer and nowhere else."""
    made = targets.add_target(
        desk,
        actor,
        body.name,
        kind=TargetKind(body.kind),
        url=body.url,
        events=body.events,
        models=body.models,
        person=body.person,
    )
    shown = _target(made.target).model_dump()
    return MadeTargetBody(**shown, secret=made.secret.reveal() if made.secret is not None else None)


@router.post("/targets/{name}/test", status_code=202)
def try_target(name: Name, desk: DeskOf, actor: ActorOf) -> DeliveryBody:
    """Send something harmless through a target; its delivery tells what was answered."""
    delivery_id = targets.try_target(desk, actor, name)
    return _delivery(targets.get_delivery(desk, actor, delivery_id))


@router.post("/targets/{name}/pause")
def pause_target(name: Name, body: PauseRequest, desk: DeskOf, actor: ActorOf) -> TargetBody:
    """Hold back whatever is due for a target."""
    return _target(targets.pause_target(desk, actor, name, body.why))


@router.post("/targets/{name}/resume")
def resume_target(name: Name, desk: DeskOf, actor: ActorOf) -> TargetBody:
    """Send again through a target."""
    return _target(targets.resume_target(desk, actor, name))


@router.delete("/targets/{name}", status_code=204)
def remove_target(name: Name, desk: DeskOf, actor: ActorOf) -> Response:
    """Forget a target."""
    targets.remove_target(desk, actor, name)
    return Response(status_code=204)


@router.get("/deliveries")
def list_deliveries(
    desk: DeskOf,
    actor: ActorOf,
    *,
    target: Annotated[str | None, Query(max_length=100)] = None,
    run: Annotated[str | None, Query(max_length=100, description="Those of one run, for whoever sees it.")] = None,
    state: Literal["waiting", "sent", "failed", "dropped"] | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[DeliveryBody]:
    """Deliveries, newest first."""
    found = targets.list_deliveries(
        desk,
        actor,
        target=target,
        run=run,
        status=DeliveryStatus(state) if state is not None else None,
        before=read_cursor(cursor),
        limit=limit,
    )
    following = cursor_of(found[-1].made_at, found[-1].id) if len(found) == limit else None
    return Page(items=[_delivery(delivery) for delivery in found], next=following)


@router.get("/deliveries/{delivery_id}")
def get_delivery(delivery_id: Name, desk: DeskOf, actor: ActorOf) -> DeliveryBody:
    """One delivery."""
    return _delivery(targets.get_delivery(desk, actor, delivery_id))


@router.post("/deliveries/{delivery_id}/redeliver", status_code=202)
def redeliver(delivery_id: Name, desk: DeskOf, actor: ActorOf) -> DeliveryBody:
    """Send a delivery once more, under the same id."""
    return _delivery(targets.redeliver(desk, actor, delivery_id))


@router.get("/me/notifications")
def get_preferences(desk: DeskOf, actor: ActorOf) -> PreferencesBody:
    """How the caller is told."""
    return _preferences(notifications.get_preferences(desk, actor))


@router.put("/me/notifications")
def set_preferences(body: PreferencesBody, desk: DeskOf, actor: ActorOf) -> PreferencesBody:
    """Choose how the caller is told: all of it, what is not given is as if never chosen."""
    hours = None
    if body.hours is not None:
        hours = WorkingHours(body.hours.since, body.hours.until, tuple(body.hours.days))
    chosen = checked(Pace(body.pace), body.muted, hours, body.zone, body.daily_at)
    return _preferences(notifications.set_preferences(desk, actor, chosen))


@router.get("/unsubscribe/{word}", response_class=HTMLResponse, include_in_schema=False)
def ask_unsubscribe(word: Word, desk: DeskOf) -> HTMLResponse:
    """Ask whether mails are to end: looking at a link changes nothing."""
    name = notifications.check_word(desk, word)
    return HTMLResponse(_ASK.format(name=escape(name)), headers=_HEADERS)


@router.post("/unsubscribe/{word}", response_class=HTMLResponse)
def unsubscribe(word: Word, desk: DeskOf) -> HTMLResponse:
    """End the mails of whoever the link was sent to (RFC 8058: one click of a mail client is one POST)."""
    name = notifications.unsubscribe(desk, word)
    return HTMLResponse(_DONE.format(name=escape(name)), headers=_HEADERS)


def _target(target: Target) -> TargetBody:
    return TargetBody(
        name=target.name,
        kind=target.kind.value,
        url=target.shown_url,
        owner=target.owner,
        created_at=target.created_at,
        events=list(target.events),
        models=list(target.models),
        person=target.person,
        paused_at=target.paused_at,
        paused_why=target.paused_why,
        failures=target.failures,
        retry_at=target.retry_at,
    )


def _delivery(found: Delivery) -> DeliveryBody:
    return DeliveryBody(
        id=found.id,
        event=found.event,
        target=found.target,
        title=found.notice.title,
        status=found.status.value,
        person=found.person,
        run_id=found.run_id,
        model=found.model,
        made_at=found.made_at,
        send_at=found.send_at,
        tries=found.tries,
        answer=found.answer,
        ended_at=found.ended_at,
    )


def _preferences(chosen: Preferences) -> PreferencesBody:
    hours = chosen.hours
    return PreferencesBody(
        pace=chosen.pace.value,
        muted=list(chosen.muted),
        hours=HoursBody.model_validate(asdict(hours)) if hours is not None else None,
        zone=chosen.zone,
        daily_at=chosen.daily_at,
    )
