"""Approving in a real browser where the environment wants a passkey, and signing in by a real provider."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import provider as providers
from browsers import Device
from real_stack import Stack, free_port, running
from signoff.service.single_sign_on import CALLBACK

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ENVIRONMENTS = "environments: {production: {deployer: {type: alias}, step_up: passkey}}\n"
PIPELINE = """\
model: fraud-detector
steps:
  - name: approve
    type: approval
    inputs: {approvers: [bob]}
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""


@pytest.fixture(scope="module")
def careful(chromium: Browser) -> Iterator[Stack]:
    """A stack whose production wants approvals confirmed, and whose people may sign in by a provider."""
    port = free_port()
    with providers.running(f"http://localhost:{port}{CALLBACK}", free_port()) as provider:
        single = {
            "SIGNOFF_OIDC_ISSUER": provider.issuer,
            "SIGNOFF_OIDC_CLIENT_ID": "signoff",
            "SIGNOFF_OIDC_CLIENT_SECRET": providers.SECRET,
            "SIGNOFF_OIDC_NEW_PEOPLE": "viewer",
        }
        with running(environments=ENVIRONMENTS, port=port, **single) as made:
            yield made


def status(stack: Stack, run: str, *wanted: str) -> None:
    """Return when the run has one of these statuses."""
    end = time.monotonic() + 60
    while (found := json.loads(stack.command("show", run, "--json", who="alice")))["status"] not in wanted:
        assert time.monotonic() < end, found
        time.sleep(0.3)


def test_an_approval_is_confirmed_by_a_passkey_and_by_nothing_less(
    careful: Stack, chromium: Browser, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("first")
    (tmp_path / "signoff.yaml").write_text(PIPELINE)
    words = ("submit", str(tmp_path / "model"), "-f", str(tmp_path / "signoff.yaml"), "--json")
    run = str(json.loads(careful.command(*words, who="alice"))["id"])
    status(careful, run, "waiting")
    context = chromium.new_context(base_url=careful.url)
    context.add_cookies([{"name": "signoff", "value": careful.secret("bob"), "url": careful.url, "httpOnly": True}])
    page = context.new_page()
    device = Device(page)
    page.goto(f"/runs/{run}/gates/approve")
    page.get_by_text("Approve", exact=True).click()
    page.get_by_role("button", name="Submit decision").click()
    page.get_by_text("You have no passkey yet").wait_for()
    page.goto("/account")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("What to call it").fill("this laptop")
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("this laptop is a passkey of yours now").wait_for()
    page.goto(f"/runs/{run}/gates/approve")
    page.get_by_text("Approve", exact=True).click()
    page.get_by_label("Comment").first.fill("Looked at the bytes.\nFine.")
    page.get_by_role("button", name="Submit decision").click()
    page.get_by_role("heading", name="Confirm your approval").wait_for()
    device.refuse()
    page.get_by_role("button", name="Approve with your passkey").click()
    page.get_by_text("The passkey did not answer").wait_for()
    device.agree()
    page.get_by_role("button", name="Approve with your passkey").click()
    page.get_by_text("You approved it.").wait_for()
    status(careful, run, "succeeded")
    context.close()


def test_somebody_comes_in_by_the_provider_and_where_they_wanted_to_go(careful: Stack, chromium: Browser) -> None:
    context = chromium.new_context(base_url=careful.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto("/account")
    page.get_by_role("link", name="Sign in with single sign-on").click()
    page.get_by_placeholder("Enter any login").fill("frida")
    page.get_by_placeholder("and password").fill("anything")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Your account").wait_for()
    assert page.url == f"{careful.url}/account"
    page.get_by_text("signed in by oidc").wait_for()
    assert [text for text in complaints if "Content Security" in text] == []
    context.close()
