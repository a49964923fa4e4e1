"""How a person wants to be told: at once, gathered every hour or day, or not at all; which models not; when they work.

Pure: which moment something is sent at is a function of the preferences and the moment it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo, available_timezones

from signoff.domain.errors import InvalidError

MOST_MUTED = 100


class Pace(StrEnum):
    """How soon somebody is told. `off`: not at all, but for emergencies."""

    INSTANT = "instant"
    HOURLY = "hourly"
    DAILY = "daily"
    OFF = "off"


class Urgency(StrEnum):
    """What may hold a notice back. `now`: nothing does; `soon`: the pace; `patient`: the working hours too."""

    NOW = "now"
    SOON = "soon"
    PATIENT = "patient"


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """From when until when somebody works, on which days (``mon`` ...), on the clock of their own `zone`."""

    since: time = time(9)
    until: time = time(17)
    days: tuple[str, ...] = DAYS[:5]

    def next_moment(self, at: datetime, zone: ZoneInfo) -> datetime:
        """`at` where they work then, else the beginning of their next working hours."""
        local = at.astimezone(zone)
        for ahead in range(8):
            day = local.date() + timedelta(days=ahead)
            if DAYS[day.weekday()] not in self.days:
                continue
            begins = datetime.combine(day, self.since, zone)
            if ahead == 0 and begins <= local < datetime.combine(day, self.until, zone):
                return at
            if begins > local:
                return begins.astimezone(at.tzinfo)
        return at


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one person chose. `daily_at` is the hour of their daily digest; `muted` are patterns of models."""

    pace: Pace = Pace.INSTANT
    muted: tuple[str, ...] = ()
    hours: WorkingHours | None = None
    zone: str = "UTC"
    daily_at: int = 8

    @property
    def clock(self) -> ZoneInfo:
        """The clock on their wall."""
        return ZoneInfo(self.zone)

    def mutes(self, model: str | None) -> bool:
        """Whether they do not want to hear of this model."""
        return model is not None and any(fnmatchcase(model, pattern) for pattern in self.muted)

    def when(self, urgency: Urgency, model: str | None, at: datetime) -> datetime | None:
        """When they are told of what happened at this moment; None for never."""
        if urgency is Urgency.NOW:
            return at
        if self.pace is Pace.OFF or self.mutes(model):
            return None
        moment = self._paced(at)
        if urgency is Urgency.PATIENT and self.hours is not None:
            moment = self.hours.next_moment(moment, self.clock)
        return moment

    def gathers(self, urgency: Urgency) -> bool:
        """Whether this is gathered with whatever else is due then."""
        return urgency is not Urgency.NOW and self.pace in {Pace.HOURLY, Pace.DAILY}

    def _paced(self, at: datetime) -> datetime:
        if self.pace is Pace.HOURLY:
            return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        if self.pace is Pace.DAILY:
            local = at.astimezone(self.clock)
            digest = datetime.combine(local.date(), time(self.daily_at), self.clock)
            if digest <= local:
                digest = datetime.combine(local.date() + timedelta(days=1), time(self.daily_at), self.clock)
            return digest.astimezone(at.tzinfo)
        return at


DEFAULT = Preferences()
"""Who chose nothing is told at once, of everything that is their business."""


def checked(pace: Pace, muted: Iterable[str], hours: WorkingHours | None, zone: str, daily_at: int) -> Preferences:
    """Preferences of these values.

    Raises:
        InvalidError: a zone that does not exist, hours that end before they begin, a day that is none.
    """
    patterns = tuple(sorted(set(muted)))
    if len(patterns) > MOST_MUTED:
        raise InvalidError(
            f"{len(patterns)} models are muted.", f"Name {MOST_MUTED} at most; patterns such as fraud-* help."
        )
    if zone not in available_timezones():
        raise InvalidError(f"There is no time zone {zone!r}.", "Write it as Europe/Berlin, America/New_York or UTC.")
    if not 0 <= daily_at <= 23:  # noqa: PLR2004 - hours of a day
        raise InvalidError(f"{daily_at} is no hour of a day.", "Give a number from 0 to 23.")
    if hours is not None:
        if hours.until <= hours.since:
            raise InvalidError("The working hours end before they begin.", "Write them as 09:00-17:00.")
        if not hours.days or not set(hours.days) <= set(DAYS):
            raise InvalidError(f"{', '.join(hours.days) or 'nothing'} are no days.", f"Name some of {', '.join(DAYS)}.")
    return Preferences(pace, patterns, hours, zone, daily_at)
