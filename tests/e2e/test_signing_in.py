"""Signing in with a real browser: the first administrator, an invitation, bookmarks, and a session that ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from browsers import Device
from real_stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

PASSWORD = "seven quiet herons wade"


def set_password(page: Page, link: str, name: str | None = None) -> None:
    """Open a one-time link and set a password by it."""
    page.goto(link)
    if name is not None:
        page.get_by_label("Your name here").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.get_by_role("button", name="Set password and sign in").click()
    page.wait_for_url(lambda url: "/link" not in url)


def sign_in(page: Page, name: str) -> None:
    """Ask for the account page, and sign in on the way."""
    page.goto("/account")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")


def test_the_first_administrator_signs_in_by_the_link_that_was_printed(
    stack: Stack, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    set_password(page, stack.first_link(), name="gail")
    page.goto("/account")
    page.get_by_role("heading", name="Your account").wait_for()
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out.").wait_for()
    page.goto(stack.first_link())
    page.get_by_role("heading", name="not good any more").wait_for()


def test_a_bookmark_opens_after_signing_in_and_nothing_complains(stack: Stack, open_page: Callable[..., Page]) -> None:
    link = stack.command("user", "reset", "bob", who="erin")
    page = open_page()
    set_password(page, next(word for word in link.split() if "/link?code=" in word))
    page.context.clear_cookies()
    sign_in(page, "bob")
    page.get_by_role("heading", name="Your account").wait_for()
    assert page.url == f"{stack.url}/account"


def test_a_passkey_is_added_and_asked_for_from_then_on(stack: Stack, open_page: Callable[..., Page]) -> None:
    link = stack.command("user", "reset", "dave", who="erin")
    page = open_page()
    device = Device(page)
    set_password(page, next(word for word in link.split() if "/link?code=" in word))
    page.goto("/account")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("What to call it").fill("this laptop")
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("this laptop is a passkey of yours now").wait_for()
    assert len(device.credentials()) == 1
    page.context.clear_cookies()
    sign_in(page, "dave")
    page.get_by_text("Now use the passkey of dave").wait_for()
    device.refuse()
    page.get_by_role("button", name="Use your passkey").click()
    page.get_by_text("The passkey did not answer").wait_for()
    page.goto("/account")
    assert "/sign-in" in page.url, "the password alone let somebody in"
    device.agree()
    sign_in(page, "dave")
    page.get_by_role("button", name="Use your passkey").click()
    page.get_by_text("signed in by password, passkey").first.wait_for()


@pytest.mark.parametrize(
    ("theme", "width"),
    [
        ("light", 1280),
        ("dark", 320),
        pytest.param("dark", 1280, marks=pytest.mark.slow),
        pytest.param("light", 320, marks=pytest.mark.slow),
    ],
)
def test_the_pages_of_signing_in_are_for_everyone(open_page: Callable[..., Page], theme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for who, path in ((None, "/sign-in"), (None, "/link?code=x"), ("carol", "/account")):
        page = open_page(who, viewport={"width": width, "height": 800}, color_scheme=theme)
        page.goto(path)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") == width
