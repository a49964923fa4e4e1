"""Moments as people write them in the files: a day, or a day and a time with its offset from UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

HINT = "write a day, 2026-12-20, or a moment with its offset, 2026-12-20T18:00Z or 2026-12-20T18:00+01:00"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?")


def parse_moment(text: str, *, is_end: bool = False) -> datetime:
    """The moment that `text` means, in UTC. A day without a time begins at midnight UTC; as an end it is included.

    Raises:
        ValueError: it is neither, or a time of which nobody knows where it is meant; the message says which.
    """
    if _DAY.fullmatch(text):
        day = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return day + timedelta(days=1) if is_end else day
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("is not a day or a moment")
    if found[2] is None:
        raise ValueError("does not say which offset from UTC it has")
    return datetime.fromisoformat(text).astimezone(UTC)
