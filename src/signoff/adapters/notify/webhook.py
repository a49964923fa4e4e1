"""Webhooks by the Standard Webhooks specification: signed, with an id by which the receiver knows a repetition.

https://www.standardwebhooks.com.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus

from signoff.domain.errors import InvalidError
from signoff.domain.notice import Message
from signoff.domain.target import GoneError, Target
from signoff.outbound import Outbound
from signoff.outbound.client import UnwelcomeAnswerError
from signoff.outbound.signing import signed


class WebhookNotifier:
    """POSTs the event as JSON. Whatever is not a 2xx is tried again later, but for 410: nobody wants it any more."""

    def __init__(self, outbound: Outbound, clock: Callable[[], datetime]) -> None:
        self._outbound = outbound
        self._clock = clock

    @contextmanager
    def open(self, target: Target, /) -> Iterator[Callable[[Message], str]]:
        """A way to send through `target`."""
        if target.secret is None:
            raise InvalidError(f"The webhook {target.name} has no secret.", "Remove it and add it anew.")
        secret = target.secret
        url = target.url.reveal()

        def send(message: Message) -> str:
            body = body_of(message)
            headers = {"Content-Type": "application/json", **signed(secret, message.id, self._clock(), body)}
            try:
                answer = self._outbound.ask("POST", url, body=body.encode(), headers=headers, is_configured=True)
            except UnwelcomeAnswerError as error:
                if error.status == HTTPStatus.GONE:
                    raise GoneError(error.what) from error
                raise
            return f"HTTP {answer.status}"

        yield send


def body_of(message: Message) -> str:
    """What is signed and sent: type, timestamp and data, as the specification recommends."""
    data = {**message.data}
    if message.notices:
        data["url"] = message.link(message.notices[0])
    document = {"type": message.event, "timestamp": message.at.astimezone(UTC).isoformat(), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
