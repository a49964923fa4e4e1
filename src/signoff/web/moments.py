"""Times as people say them, with the exact one a hover away."""

from __future__ import annotations

from datetime import datetime, timedelta

from markupsafe import Markup

_STEPS = (
    (timedelta(minutes=1), "second", timedelta(seconds=1)),
    (timedelta(hours=1), "minute", timedelta(minutes=1)),
    (timedelta(days=1), "hour", timedelta(hours=1)),
    (timedelta(days=60), "day", timedelta(days=1)),
    (timedelta(days=730), "month", timedelta(days=30)),
)
_A_MOMENT = timedelta(seconds=10)
_A_YEAR = timedelta(days=365)


def in_words(span: timedelta) -> str:
    """How long, in the largest unit that fits: `3 hours`."""
    span = abs(span)
    for limit, unit, size in _STEPS:
        if span < limit:
            return _count(span // size, unit)
    return _count(span // _A_YEAR, "year")


def _count(number: int, unit: str) -> str:
    return f"1 {unit}" if number == 1 else f"{number} {unit}s"


def relative(at: datetime, now: datetime) -> str:
    """`3 hours ago`, `in 2 days`."""
    if abs(now - at) < _A_MOMENT:
        return "just now" if at <= now else "in a moment"
    return f"{in_words(now - at)} ago" if at < now else f"in {in_words(at - now)}"


def time_tag(at: datetime, now: datetime) -> Markup:
    """The relative time as HTML, the exact one in UTC on hover and for machines."""
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), exact, relative(at, now))
