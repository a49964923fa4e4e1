"""How I am told: at once or gathered, of which models not, when I work; and which user of a chat is me."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from signoff.domain.actor import Actor
from signoff.domain.errors import InvalidError, SignoffError
from signoff.domain.preferences import DAYS, DEFAULT, Pace, Preferences, WorkingHours, checked
from signoff.service import chat_accounts, notifications, people
from signoff.service.desk import Desk
from signoff.web.page import redirect, render
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.statuses import status_of

router = APIRouter(prefix="/settings/notifications")
_Text = Annotated[str, Form(max_length=5000)]
_Many = Annotated[list[str], Form(max_length=10)]
_PACES = {
    Pace.INSTANT: ("At once", "As soon as it happens"),
    Pace.HOURLY: ("Every hour", "Everything together, at each full hour"),
    Pace.DAILY: ("Once a day", "Everything together, at the hour below"),
    Pace.OFF: ("Not at all", "Of emergencies only"),
}
_DAY_NAMES = dict(
    zip(DAYS, ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], strict=True)
)


@router.get("")
def show(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """The page."""
    return _page(request, desk, actor, _typed(notifications.get_preferences(desk, actor)))


@router.post("")
def choose(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    pace: _Text = "",
    daily_at: _Text = "",
    muted: _Text = "",
    zone: _Text = "",
    works: _Text = "",
    since: _Text = "",
    until: _Text = "",
    day: _Many = [],  # noqa: B006 - the framework copies it
) -> Response:
    """Keep all of it; what was refused comes back as it was typed."""
    texts = {"pace": pace, "daily_at": daily_at, "muted": muted, "zone": zone, "works": works}
    typed = {**texts, "since": since, "until": until, "days": day}
    try:
        hours = WorkingHours(_time(since), _time(until), tuple(d for d in DAYS if d in day)) if works else None
        patterns = muted.replace(",", " ").split()
        chosen = checked(_pace(pace), patterns, hours, zone.strip(), _hour(daily_at))
        notifications.set_preferences(desk, actor, chosen)
    except SignoffError as error:
        return _page(request, desk, actor, typed, error)
    return redirect(request, "/settings/notifications", "You are told so from now on.")


def _page(
    request: Request, desk: Desk, actor: Actor, typed: Mapping[str, object], problem: SignoffError | None = None
) -> Response:
    me = next((one.person for one in people.list_people(desk, actor) if one.person.name == actor.name), None)
    return render(
        request,
        "notifications.html",
        status=status_of(problem).value if problem is not None else 200,
        typed=typed,
        paces=[(pace.value, *words) for pace, words in _PACES.items()],
        day_names=_DAY_NAMES,
        zones=sorted(available_timezones()),
        email=me.email if me is not None else None,
        chats=chat_accounts.list_my_chats(desk, actor),
        has_chat=desk.chat is not None,
        problem=problem,
    )


def _typed(chosen: Preferences) -> dict[str, object]:
    """What the fields hold before anybody types."""
    hours = chosen.hours or WorkingHours()
    return {
        "pace": chosen.pace.value,
        "daily_at": str(chosen.daily_at),
        "muted": "\n".join(chosen.muted),
        "zone": chosen.zone,
        "works": "on" if chosen.hours is not None else "",
        "since": f"{hours.since:%H:%M}",
        "until": f"{hours.until:%H:%M}",
        "days": list(hours.days),
    }


def _pace(word: str) -> Pace:
    if word not in set(Pace):
        raise InvalidError("How soon you are told was not said.", "Choose one of the four.")
    return Pace(word)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidError(f"{text[:30]!r} is no time of day.", "Write it like 09:00.") from error


def _hour(text: str) -> int:
    if not text.strip():
        return DEFAULT.daily_at
    if not text.strip().isdecimal() or len(text.strip()) > 2:  # noqa: PLR2004 - two digits
        raise InvalidError(f"{text[:30]!r} is no hour of a day.", "Give a number from 0 to 23.")
    return int(text)
