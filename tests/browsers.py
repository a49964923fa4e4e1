"""Finds a Chromium and starts it for tests: Playwright's own, else the system's, else none, with the reason."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


def executable(playwright: Playwright) -> str | None:
    """The browser to drive; None when there is none on this machine."""
    own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a window; the test is skipped, with the reason, where none can be had."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = executable(playwright)
        if found is None:
            pytest.skip(
                "no browser: neither Playwright's Chromium (playwright install chromium) nor one of the system's "
                f"({', '.join(NAMES)}) is installed; as root on Debian: apt-get install chromium"
            )
        arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Device:
    """A device that keeps passkeys for the browser of `page`, and whose owner agrees until told otherwise."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id = made["authenticatorId"]

    def credentials(self) -> list[dict[str, object]]:
        """What it keeps."""
        found = self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return list(found["credentials"])

    def refuse(self) -> None:
        """Its owner is not recognised from now on."""
        self._verified(False)

    def agree(self) -> None:
        """Its owner is recognised from now on."""
        self._verified(True)

    def _verified(self, is_it: bool) -> None:
        known = {"authenticatorId": self._id, "isUserVerified": is_it}
        self._session.send("WebAuthn.setUserVerified", known)
