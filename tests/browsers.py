"""Finds a Chromium and starts it for tests: Playwright's own, else the system's, else Debian's, which root installs.

Where none can be had the tests are skipped, with the reason. What is installed is said on the terminal.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LOCK = Path(tempfile.gettempdir(), "signoff-tests-browser.lock")
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


def install(run: Callable[..., object] = subprocess.run) -> bool:
    """Install Debian's Chromium, where there is apt-get and we are root; whether there is one now. Says so.

    One process at a time: of several test workers the others find what the first one installed.
    """
    if os.geteuid() != 0 or shutil.which("apt-get") is None or os.environ.get("SIGNOFF_INSTALL_BROWSER") == "no":
        return False
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which(NAMES[0]) is not None:
            return True
        print("no browser on this machine: installing Debian's chromium", file=sys.__stderr__, flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            try:
                run(["apt-get", "--quiet", *words], env=environment, capture_output=True, check=True, timeout=600)
            except (OSError, subprocess.SubprocessError) as error:
                print(f"apt-get {words[0]} failed: {error}", file=sys.__stderr__, flush=True)
                return False
    return shutil.which(NAMES[0]) is not None


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a window; the test is skipped, with the reason, where none can be had."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = executable(playwright)
        if found is None and install():
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
