"""Slack: messages with buttons through an incoming webhook, and the buttons that come back, believed by signature.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, .../interactivity/handling-user-interaction
and .../authentication/verifying-requests-from-slack. A webhook and the app's signing secret are all that it takes: no
token that could do more, and no library.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from signoff.adapters.notify.slack_blocks import message_of, reply_of
from signoff.domain.chat import Act, ChatCallError, ChatSignatureError, ChatUser, Press, Reply
from signoff.domain.notice import Message
from signoff.domain.secret import Secret
from signoff.domain.target import GoneError, RefusedError, Target
from signoff.outbound import Outbound
from signoff.outbound.client import UnwelcomeAnswerError

FRESH = timedelta(minutes=5)
"""How old a call may be: what Slack recommends."""
OWN_ORIGINS = frozenset({"https://hooks.slack.com", "https://hooks.slack-gov.com"})
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""The webhook was revoked, or its channel is archived or deleted."""
_LONGEST = 200
_JSON = {"Content-Type": "application/json; charset=utf-8"}


class SlackNotifier:
    """POSTs messages with buttons to an incoming webhook. With `can_answer` they carry more than links."""

    def __init__(self, outbound: Outbound, *, can_answer: bool) -> None:
        self._outbound = outbound
        self._can_answer = can_answer

    @contextmanager
    def open(self, target: Target, /) -> Iterator[Callable[[Message], str]]:
        """A way to send through `target`."""

        def send(message: Message) -> str:
            body = json.dumps(message_of(message, can_answer=self._can_answer)).encode()
            try:
                answer = self._outbound.ask("POST", target.url.reveal(), body=body, headers=_JSON, is_configured=True)
            except UnwelcomeAnswerError as error:
                if error.status in _GONE:
                    raise GoneError(error.what) from error
                if error.status == HTTPStatus.BAD_REQUEST:
                    raise RefusedError(error.what) from error  # this one message, whatever is wrong with it
                raise
            return f"HTTP {answer.status}"

        yield send


class SlackApp:
    """The app's other side: whom it believes, and how it answers somebody who pressed a button."""

    def __init__(self, signing_secret: Secret, outbound: Outbound) -> None:
        self._secret = signing_secret
        self._outbound = outbound

    def believe(self, body: bytes, *, timestamp: str, signature: str, now: datetime) -> Press | None:
        """The button that somebody pressed; None for whatever else Slack says.

        Raises:
            ChatSignatureError: Slack did not sign it with our secret, or not within five minutes of now.
            ChatCallError: it did, and this cannot be read.
        """
        if not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 12:  # noqa: PLR2004 - seconds
            raise ChatSignatureError("Slack did not sign this.", "Calls come from Slack, by the signing secret.")
        signed = b":".join((b"v0", timestamp.encode(), body))
        expected = "v0=" + hmac.new(self._secret.reveal().encode(), signed, sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise ChatSignatureError("Slack did not sign this.", "Compare SIGNOFF_SLACK_SIGNING_SECRET with the app's.")
        if abs(now.timestamp() - int(timestamp)) > FRESH.total_seconds():
            raise ChatSignatureError("Slack signed this at another time.", "Compare the clock of the server.")
        return _press(body, signature)

    def reply(self, press: Press, reply: Reply, *, origins: Collection[str]) -> None:
        """Show `reply` to whoever pressed. Raises as the port says."""
        parts = urlsplit(press.answer_to)
        if f"{parts.scheme}://{parts.netloc}" not in OWN_ORIGINS.union(origins):
            raise ChatCallError("Slack asks for an answer at an address that is not its own.", "Look at the app.")
        body = json.dumps(reply_of(reply)).encode()
        self._outbound.ask("POST", press.answer_to, body=body, headers=_JSON, is_configured=True)


def _press(body: bytes, signature: str) -> Press | None:
    try:
        (given,) = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"]
        payload = json.loads(given)
        if payload.get("type") != "block_actions":
            return None
        user, action = payload["user"], payload["actions"][0]
        team: Mapping[str, Any] = payload.get("team") or {}
        who = ChatUser(
            team=_text(team.get("id") or user["team_id"]),
            user=_text(user["id"]),
            name=_text(user.get("username") or user.get("name") or ""),
            team_name=_text(team.get("domain") or ""),
        )
        act = _text(action["action_id"])
        value = str(action.get("value") or "")
        answer_to = str(payload.get("response_url") or "")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ChatCallError("Slack sent something that cannot be read.", "Look at the app's request URL.") from error
    if not who.team or not who.user:
        raise ChatCallError("Slack does not say who pressed the button.", "Look at the app's request URL.")
    return Press(who, act, value, answer_to, signature) if act != Act.OPEN else None


def _text(given: Any) -> str:
    """A short text of one line."""
    return " ".join(str(given).split())[:_LONGEST]
