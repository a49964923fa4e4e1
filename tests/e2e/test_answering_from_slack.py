"""Approving from Slack with a real server, worker and browser; and the pages about telling, for everyone."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2
import pytest

from real_stack import Stack, running
from receivers import Receiver, a_receiver

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ENVIRONMENTS = "environments: {staging: {deployer: {type: alias}, chat_approval: true}}\n"
PIPELINE = """\
model: fraud-detector
steps:
  - {name: approve, type: approval, inputs: {approvers: [bob]}}
  - {name: deploy, type: deployment, inputs: {environment: staging}}
"""
VIEWS: tuple[dict[str, Any], ...] = (
    {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
    {"viewport": {"width": 320, "height": 720}},
)


@pytest.fixture(scope="module")
def slack() -> Iterator[Receiver]:
    with a_receiver() as made:
        yield made


@pytest.fixture(scope="module")
def stack(chromium: Browser, slack: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A signoff that writes to Slack and hears from it, with a run that waits for bob."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_text("first")
    (folder / "signoff.yaml").write_text(PIPELINE)
    with running(environments=ENVIRONMENTS, SIGNOFF_SLACK_SIGNING_SECRET=SECRET) as made:
        url = f"http://127.0.0.1:{slack.port}/services/T1/B1/token"
        made.command("target", "add", "team", url, "--kind", "slack", "--model", "*", who="erin")
        words = ("submit", str(folder / "model"), "-f", str(folder / "signoff.yaml"), "--json")
        made.run = json.loads(made.command(*words, who="alice"))["id"]  # type: ignore[attr-defined]
        yield made


def until(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return value


def messages(slack: Receiver, path: str) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in slack.received if one.path.startswith(path)]


def button(message: dict[str, Any], label: str) -> dict[str, Any]:
    elements = [one for block in message["blocks"] if block["type"] == "actions" for one in block["elements"]]
    return next(one for one in elements if one["text"]["text"] == label)


def press(stack: Stack, slack: Receiver, pressed: dict[str, Any]) -> dict[str, Any]:
    """What bob, who is U2 in Slack, is shown when he presses it."""
    before = len(messages(slack, "/actions"))
    payload = {
        "type": "block_actions",
        "team": {"id": "T1", "domain": "acme"},
        "user": {"id": "U2", "username": "bob.of.slack"},
        "actions": [{"action_id": pressed["action_id"], "value": pressed.get("value", ""), "action_ts": str(before)}],
        "response_url": f"http://127.0.0.1:{slack.port}/actions/{before}",
    }
    body, at = urlencode({"payload": json.dumps(payload)}).encode(), str(int(time.time()))
    signed = "v0=" + hmac.new(SECRET.encode(), b"v0:" + at.encode() + b":" + body, sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": signed}
    # Slack waits for three seconds.
    answer = httpx2.post(f"{stack.url}/api/v1/hooks/slack", content=body, headers=headers, timeout=3)
    assert answer.status_code == 200
    shown: dict[str, Any] = until(lambda: messages(slack, "/actions")[before:])[0]
    return shown


def check(page: Page, path: str) -> None:
    """The page is there, and for everyone."""
    from axe_playwright_python.sync_playwright import Axe

    answer = page.goto(path)
    assert answer is not None
    assert answer.ok, (path, answer.status)
    wrong = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in wrong] == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_bob_says_who_he_is_and_approves_from_slack(
    stack: Stack, slack: Receiver, open_page: Callable[..., Page]
) -> None:
    message = until(lambda: messages(slack, "/services"))[0]
    stranger = press(stack, slack, button(message, "Approve"))
    address = button(stranger, "Say who I am")["url"].removeprefix(stack.url)
    for view in VIEWS:
        check(open_page("bob", **view), address)
    page = open_page("bob", java_script_enabled=False)
    page.goto(address)
    page.get_by_text("bob.of.slack (U2) of acme").wait_for()
    page.get_by_role("button", name="That is me").click()
    page.get_by_text("is you from now on").wait_for()
    asked = press(stack, slack, button(message, "Approve"))
    done = press(stack, slack, button(asked, "Approve this"))
    assert "You approved fraud-detector v1 as bob" in done["text"]
    run = stack.run  # type: ignore[attr-defined]
    until(lambda: json.loads(stack.command("show", run, "--json", who="alice"))["status"] == "succeeded")
    for view in VIEWS:
        check(open_page("bob", **view), "/settings/notifications")
        check(open_page("erin", **view), "/settings/targets/team")
        check(open_page("erin", **view), "/settings")
        check(open_page("erin", **view), f"/runs/{run}")
    told = open_page("erin", java_script_enabled=False)
    told.goto(f"/runs/{run}")
    told.get_by_role("button", name="Send again").first.click()
    told.get_by_text("is told once more").wait_for()


def test_how_one_is_told_is_chosen_without_scripts(stack: Stack, open_page: Callable[..., Page]) -> None:
    page = open_page("carol", java_script_enabled=False)
    page.goto("/settings")
    page.get_by_role("link", name="How you are told").click()
    page.get_by_text("Once a day").click()
    page.get_by_label("Your time zone").fill("Europe/Berlin")
    page.get_by_label("Nothing of these models").fill("experiment-*")
    page.get_by_text("Only while I work").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("You are told so from now on").wait_for()
    said = stack.command("notify", who="carol")
    assert "every day at 08:00" in said
    assert "Nothing of experiment-*" in said
    assert "09:00-17:00 on mon, tue, wed, thu, fri" in " ".join(said.split())
