"""`signoff notify`: how you are told, how soon, of which models not, and when you work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.people import asked
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import InvalidError

if TYPE_CHECKING:
    from signoff.wire.notifications import PreferencesBody


def notify(
    *,
    pace: Annotated[str | None, Parameter(help="instant, hourly, daily or off (emergencies only).")] = None,
    mute: Annotated[
        list[str] | None, Parameter(metavar="PATTERN", help="Tell you nothing of these models; several times.")
    ] = None,
    unmute: Annotated[list[str] | None, Parameter(metavar="PATTERN", help="Take that back.")] = None,
    hours: Annotated[
        str | None,
        Parameter(metavar="HOURS", help="When you work, as 09:00-17:00; reminders wait for it. `any` is always."),
    ] = None,
    days: Annotated[str | None, Parameter(metavar="DAYS", help="On which days, as mon,tue,wed.")] = None,
    zone: Annotated[str | None, Parameter(metavar="ZONE", help="Your time zone, as Europe/Berlin.")] = None,
    daily_at: Annotated[int | None, Parameter(metavar="HOUR", help="The hour of a daily digest, 0 to 23.")] = None,
    common: Common = NOTHING,
) -> int:
    """Choose how you are told; without options, show it."""
    from signoff.wire.notifications import PreferencesBody

    screen = Screen(common)
    with connect(common) as client:
        found = client.notifications.get_preferences()
        changes = {"pace": pace, "zone": zone, "daily_at": daily_at, "hours": _hours(found, hours, days)}
        changed: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        if hours == "any":
            changed["hours"] = None
        if mute or unmute:
            changed["muted"] = sorted({*found.muted, *(mute or ())} - set(unmute or ()))
        if changed:
            request = asked(PreferencesBody, {**found.model_dump(mode="json"), **changed})
            found = client.notifications.set_preferences(request)
    if screen.is_json:
        screen.document(found)
    screen.say(_sentence(found))
    return Exit.DONE


def _hours(found: PreferencesBody, hours: str | None, days: str | None) -> dict[str, Any] | None:
    """The working hours that were typed, on what was chosen before."""
    if hours == "any" or (hours is None and days is None):
        return None
    former: dict[str, Any] = found.hours.model_dump(mode="json") if found.hours is not None else {}
    if hours is not None:
        since, dash, until = hours.partition("-")
        if not dash:
            raise InvalidError(f"--hours {hours!r} is no span of time.", "Write it as 09:00-17:00, or `any`.")
        former |= {"since": since.strip(), "until": until.strip()}
    if days is not None:
        former["days"] = [day.strip().lower() for day in days.split(",")]
    return former


def _sentence(chosen: PreferencesBody) -> str:
    when = {
        "instant": "You are told at once",
        "hourly": "You are told every full hour, of everything together",
        "daily": f"You are told every day at {chosen.daily_at:02}:00, of everything together",
        "off": "You are told of emergencies only",
    }[chosen.pace]
    parts = [f"{when}."]
    if chosen.muted:
        parts.append(f"Nothing of {safe(', '.join(chosen.muted))}.")
    if chosen.hours is not None:
        span = f"{chosen.hours.since:%H:%M}-{chosen.hours.until:%H:%M}"
        parts.append(f"Reminders wait for {span} on {', '.join(chosen.hours.days)}.")
    parts.append(f"Your clock is that of {safe(chosen.zone)}.")
    return " ".join(parts)
