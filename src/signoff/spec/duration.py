"""Spans of time as people write them in the files: 30s, 5m, 2h, 90d, 1h30m."""

from __future__ import annotations

import re
from datetime import timedelta

PATTERN = r"^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"
"""The form, for the JSON Schema too: units in this order, each at most once."""

LONGEST = timedelta(days=3650)
HINT = "write a number with s, m, h or d, such as 30s, 5m, 2h, 90d or 1h30m"

_FORM = re.compile(r"(?=[0-9])(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")


def parse_duration(text: str) -> timedelta:
    """The span that `text` means.

    Raises:
        ValueError: it is not of this form, nothing at all, or longer than ten years; the message says which.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("is not a length of time")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if days > LONGEST.days or hours > LONGEST.days * 24:
        raise ValueError("is longer than ten years")
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if span > LONGEST:
        raise ValueError("is longer than ten years")
    if not span:
        raise ValueError("is no time at all")
    return span
