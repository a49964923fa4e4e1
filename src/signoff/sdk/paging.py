"""Lists longer than one page: asks until there are enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from signoff.wire.body import Page

T = TypeVar("T")

MOST_AT_ONCE = 200
"""What a server gives in one page at most."""


def gather(ask: Callable[[str | None, int], Page[T]], limit: int) -> Page[T]:
    """The first `limit` items of a list, of which `ask(cursor, count)` gives a page."""
    items: list[T] = []
    cursor: str | None = None
    while True:
        page = ask(cursor, min(limit - len(items), MOST_AT_ONCE))
        items += page.items
        cursor = page.next
        if cursor is None or len(items) >= limit or not page.items:
            return page.model_copy(update={"items": items})
