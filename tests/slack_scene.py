"""Slack beside a house: a plain HTTP receiver in its place, and buttons that are pressed as Slack would sign them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from httpx2 import Response

from house import PRODUCTION, House, made
from page_browser import Browser
from receivers import Receiver, a_receiver
from signoff.adapters.notify.slack import SlackApp, SlackNotifier
from signoff.domain.environment import Environment
from signoff.domain.secret import Secret
from signoff.domain.target import TargetKind
from signoff.outbound import Outbound

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ON_CHAT = replace(PRODUCTION, chat_approval=True)
PATH = "/api/v1/hooks/slack"


@dataclass
class Slack:
    """A workspace with one channel that signoff writes to, and users who press buttons."""

    house: House
    receiver: Receiver
    pressed: int = 0
    replies: list[dict[str, Any]] = field(default_factory=list)

    # What signoff says

    def messages(self) -> list[dict[str, Any]]:
        """What was posted to the channel."""
        return [json.loads(one.body) for one in self.receiver.received if one.path.startswith("/services")]

    def shown(self) -> list[dict[str, Any]]:
        """What people who pressed were shown."""
        return [json.loads(one.body) for one in self.receiver.received if one.path.startswith("/actions")]

    # What people do

    def call(self, payload: dict[str, Any], **wrong: Any) -> Response:
        """What Slack sends, signed by it unless something is `wrong`."""
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return self.post(body, **wrong)

    def post(
        self, body: bytes, *, secret: str = SIGNING_SECRET, late: float = 0, signature: bytes | None = None
    ) -> Response:
        at = str(int(self.house.clock.now.timestamp() - late))
        signed = "v0=" + hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, sha256).hexdigest()
        headers = {
            b"X-Slack-Request-Timestamp": at.encode(),
            b"X-Slack-Signature": signed.encode() if signature is None else signature,
            b"Content-Type": b"application/x-www-form-urlencoded",
        }
        response: Response = self.house.client.post(PATH, content=body, headers=headers)
        return response

    def payload(self, user: str, action: str, value: str = "", **more: Any) -> dict[str, Any]:
        """A button that `user` pressed; never twice the same."""
        self.pressed += 1
        return {
            "type": "block_actions",
            "team": {"id": "T1", "domain": "acme"},
            "user": {"id": user, "username": f"{user.lower()}.of.slack", "team_id": "T1"},
            "actions": [{"action_id": action, "value": value, "action_ts": str(self.pressed)}],
            "response_url": f"http://127.0.0.1:{self.receiver.port}/actions/{self.pressed}",
            **more,
        }

    def press(self, user: str, button: dict[str, Any]) -> dict[str, Any]:
        """Press a button that was shown; what `user` is shown then."""
        before = len(self.shown())
        answer = self.call(self.payload(user, button["action_id"], button.get("value", "")))
        assert (answer.status_code, answer.content) == (200, b"")
        (shown,) = self.shown()[before:]
        self.house.work()
        return shown

    def link(self, person: str, user: str) -> None:
        """Have `user` of Slack be `person`: asked in Slack, said on the page."""
        message = [one for one in self.messages() if "Approve" in buttons(one)][-1]
        shown = self.press(user, button_of(message, "Approve"))
        address = button_of(shown, "Say who I am")["url"].removeprefix("http://testserver")
        browser = Browser(self.house).sign_in(person)
        answer = browser.send(address, "/settings/chat", answer="yes")
        assert answer.status_code == 303, answer.text


@contextmanager
def a_slack(house: House, *environments: Environment) -> Iterator[Slack]:
    """`house` with Slack: everything goes to its channel, and production takes approvals from there."""
    with a_receiver() as receiver:
        outbound = Outbound()
        house.desk = replace(house.desk, chat=SlackApp(Secret(SIGNING_SECRET), outbound))
        slack = {TargetKind.SLACK: SlackNotifier(outbound, can_answer=True)}
        house.machinery = replace(house.machinery, notifiers={**house.machinery.notifiers, **slack})
        house.environments(*(environments or (ON_CHAT,)))
        url = f"http://127.0.0.1:{receiver.port}/services/T1/B1/secret-token"
        made(house.as_("erin").post("/targets", {"name": "channel", "kind": "slack", "url": url, "models": ["*"]}))
        yield Slack(house, receiver)


def buttons(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every button of a message by what it says."""
    actions = (block for block in message["blocks"] if block["type"] == "actions")
    return {one["text"]["text"]: one for block in actions for one in block["elements"]}


def button_of(message: dict[str, Any], label: str) -> dict[str, Any]:
    return buttons(message)[label]


def text_of(message: dict[str, Any]) -> str:
    """What a message says, without its buttons."""
    return "\n".join(block["text"]["text"] for block in message["blocks"] if "text" in block)
