"""Calls in Slack's name: unsigned, of another time, repeated, unreadable; and messages that somebody else posted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from house import APPROVE_AND_DEPLOY, House, refused
from signoff.domain.access import FROM_CHAT, Do, Resource, why_not
from signoff.domain.actor import Actor, Credential, Role
from slack_scene import PATH, Slack, a_slack, button_of, buttons, text_of


@pytest.fixture
def slack(house: House) -> Iterator[Slack]:
    with a_slack(house) as made_slack:
        yield made_slack


def linked(slack: Slack) -> dict[str, Any]:
    """A message about a gate that waits for bob, who is U2."""
    slack.house.submit(APPROVE_AND_DEPLOY)
    message = slack.messages()[-1]
    slack.link("bob", "U2")
    return message


def test_what_slack_did_not_sign_is_refused_and_changes_nothing(slack: Slack) -> None:
    button = button_of(linked(slack), "Approve")
    payload = slack.payload("U2", button["action_id"], button["value"])
    with slack.house.unchanged():
        for wrong in (
            {"secret": "another secret"},
            {"signature": b""},
            {"signature": b"v0="},
            {"signature": b"v1=" + b"0" * 64},
            {"signature": ("v0=" + "é" * 10).encode()},
            {"late": 301},
            {"late": -301},
        ):
            refused(slack.call(payload, **wrong), 401, "chat_signature")
        bare = slack.house.client.post(PATH, content=urlencode({"payload": json.dumps(payload)}))
        refused(bare, 401, "chat_signature")
        for odd in ("²".encode(), b"-1", b"1e3", b"9" * 50, b"NaN"):
            headers = {b"X-Slack-Request-Timestamp": odd, b"X-Slack-Signature": b"v0="}
            refused(slack.house.client.post(PATH, headers=headers), 401, "chat_signature")
    assert len(slack.shown()) == 1  # the link, and no more


def test_a_call_of_almost_five_minutes_ago_is_taken(slack: Slack) -> None:
    button = button_of(linked(slack), "Approve")
    assert slack.call(slack.payload("U2", button["action_id"], button["value"]), late=295).status_code == 200
    assert "approve fraud-detector v1" in text_of(slack.shown()[-1])


def test_a_call_is_taken_once(slack: Slack) -> None:
    button = button_of(linked(slack), "Approve")
    payload = slack.payload("U2", button["action_id"], button["value"])
    body = urlencode({"payload": json.dumps(payload)}).encode()
    frozen = slack.house.clock.now
    assert slack.post(body).status_code == 200
    slack.house.clock.now = frozen
    with slack.house.unchanged():
        refused(slack.post(body), 409, "chat_repeated")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"payload=%7B",
        b"payload=%5B%5D",
        b"payload=null",
        b"payload=%7B%22type%22%3A%22block_actions%22%7D",
        b"\xff\xfe",
        b"payload=1&payload=2",
        b"payload=" + b"%5B" * 100_000,
    ],
)
def test_what_slack_signs_and_nobody_can_read_is_refused(slack: Slack, body: bytes) -> None:
    with slack.house.unchanged():
        refused(slack.post(body), 422, "bad_chat_call")


def test_what_asks_for_nothing_is_taken_and_changes_nothing(slack: Slack) -> None:
    with slack.house.unchanged():
        assert slack.call({"type": "view_closed"}).status_code == 200
        assert slack.call(slack.payload("U2", "signoff.open")).status_code == 200
    assert slack.shown() == []


def test_a_server_without_slack_takes_no_calls(house: House) -> None:
    refused(house.client.post(PATH), 422, "not_available_yet")


def test_a_message_that_somebody_else_posted_decides_nothing_by_itself(slack: Slack) -> None:
    """Who knows the channel's webhook can post a message with buttons of their choice in the app's name."""
    message = linked(slack)
    about = button_of(message, "Approve")["value"]
    for value in (about, f"0 {about}", f"{'0' * 32} {about}", "", " ", "no-such-gate sha256:0", "a b c d"):
        shown = slack.press("U2", {"action_id": "signoff.confirm", "value": value})
        assert text_of(shown).startswith("Nothing was decided.")
    shown = slack.press("U2", {"action_id": "signoff.reject", "value": about})
    assert "asks for nothing that signoff knows" in text_of(shown)
    (run,) = slack.house.as_("dave").get("/runs").json()["items"]
    assert slack.house.gate(run["id"])["status"] == "open"


@pytest.mark.parametrize(
    "address", ["https://example.com/x", "http://hooks.slack.com/x", "", "https://hooks.slack.com.evil.example/"]
)
def test_answers_go_to_slack_and_nowhere_else(slack: Slack, address: str) -> None:
    button = button_of(linked(slack), "Approve")
    before = len(slack.receiver.received)
    answer = slack.call(slack.payload("U2", button["action_id"], button["value"], response_url=address))
    assert answer.status_code == 200
    assert len(slack.receiver.received) == before


def test_words_of_others_become_no_links_and_mentions_in_slack(slack: Slack) -> None:
    slack.house.submit(APPROVE_AND_DEPLOY, note="<!channel> <https://evil.example|click> & so on " + "&" * 5000)
    (message,) = slack.messages()
    for block in message["blocks"]:
        if "text" in block:
            assert block["text"]["type"] == "plain_text"
            assert "<" not in block["text"]["text"]
            assert len(block["text"]["text"]) <= 3000
    assert "&lt;!channel&gt;" in text_of(message)
    assert "<" not in message["text"]
    assert buttons(message).keys() == {"Review it", "Approve"}


def test_from_a_chat_one_reads_and_decides_and_nothing_else() -> None:
    everything = Actor("erin", frozenset(Role), Credential.CHAT, credential_id="T1/U1")
    able = {action for action in Do if why_not(everything, action, Resource("fraud-detector")) is None}
    assert able == FROM_CHAT == {Do.READ, Do.DECIDE}
