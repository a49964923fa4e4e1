"""A real signoff and a real browser for the stories of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from real_stack import Stack


LONGEST = 600
"""Seconds of a story with whatever it has to start first: it waits for conditions, each with an end of its own."""

PATIENCE_MS = 90_000
"""How long a page is waited for; a busy machine is no failure of a story."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every story of this folder that long, for its first one starts a server, a worker and a browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all; every story has contexts of its own."""
    import browsers

    with browsers.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def stack(chromium: Browser) -> Iterator[Stack]:  # without a browser there is nothing to start
    """One running signoff for all, with the cast in it."""
    from real_stack import running

    with running() as made:
        yield made


@pytest.fixture
def open_page(chromium: Browser, stack: Stack) -> Iterator[Callable[..., Page]]:
    """Opens a browser as `name` (nobody without one); what it says on its console and refuses is an error."""
    opened = []

    def opener(name: str | None = None, **options: object) -> Page:
        context = chromium.new_context(base_url=stack.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        if name is not None:
            context.add_cookies([{"name": "signoff", "value": stack.secret(name), "url": stack.url, "httpOnly": True}])
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        opened.append((context, complaints))
        return page

    yield opener
    complaints = [text for _, found in opened for text in found]
    for context, _ in opened:
        context.close()
    assert complaints == []
