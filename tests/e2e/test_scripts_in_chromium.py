"""Everybody's markup in a real browser: nothing of it runs, asks another server, or breaks the policy.

The server is a house behind a real socket, for what was written has to be on every page, which takes a prepared run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import uvicorn

from hostile_text import MARK, Story, tell
from house import House
from real_stack import free_port
from signoff.service.sessions import open_session

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def address(house: House) -> Iterator[str]:
    """The house behind a socket of loopback."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(house.client.app, "127.0.0.1", port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"http://localhost:{port}"
    server.should_exit = True
    server.force_exit = True
    thread.join(20)


VIOLATIONS = (
    "window.seen = []; document.addEventListener("
    "'securitypolicyviolation', e => seen.push(e.blockedURI + e.violatedDirective))"
)


@pytest.mark.parametrize("who", ["bob", "erin"])
def test_nobodys_words_run_in_the_browser_of_somebody_else(
    chromium: Browser, house: House, address: str, who: str
) -> None:
    story: Story = tell(house)
    secret = open_session(house.desk, who, ("password",), address="127.0.0.1", agent="a test")
    context = chromium.new_context(base_url=address)
    context.add_cookies([{"name": "signoff", "value": secret, "url": address, "httpOnly": True}])
    context.add_init_script(VIOLATIONS)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if "Content Security" in message.text else None)
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("pageerror", lambda error: said.append(str(error)))
    looked = 0
    for path in story.paths:
        answer = page.goto(path, wait_until="load")
        assert answer is not None
        if answer.status == 403:
            continue
        looked += MARK in page.content()
        assert page.evaluate(f"typeof window.{MARK}") == "undefined", path
        assert page.evaluate("window.seen") == [], path
    assert looked >= 4
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert said == []
    context.close()


def test_a_script_that_got_into_a_page_would_be_stopped_and_seen(chromium: Browser, address: str) -> None:
    context = chromium.new_context(base_url=address)
    context.add_init_script(VIOLATIONS)
    page = context.new_page()
    page.goto("/sign-in")
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.{MARK}=1\">')")
    page.wait_for_function("window.seen.length > 0")
    assert page.evaluate(f"typeof window.{MARK}") == "undefined"
    context.close()
