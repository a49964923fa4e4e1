"""Lengths of time in words, as the files write them: 14d, 1h30m."""

from __future__ import annotations

from datetime import timedelta


def span(length: timedelta) -> str:
    """`length` in days, hours, minutes and seconds, those that are not none."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
