"""Chat services by their Apprise URLs: Slack, Teams (`workflows://`), Mattermost, Discord, Telegram, ntfy and others.

The one owner of Apprise, which is imported when the first message is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from signoff.domain.errors import InvalidError, UnavailableError
from signoff.domain.notice import Message, Notice
from signoff.domain.target import Target

TIMEOUT_S = 10.0
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


class ChatNotifier:
    """Sends plain text: what people wrote must not turn into links or mentions by itself."""

    @contextmanager
    def open(self, target: Target, /) -> Iterator[Callable[[Message], str]]:
        """A way to send through `target`."""
        from apprise import Apprise, AppriseAsset, NotifyFormat

        service = Apprise(asset=AppriseAsset(app_id="signoff", app_desc="signoff", secure_logging=True))
        if not service.add(target.url.reveal()):
            raise InvalidError(
                f"The address of {target.name} is none that Apprise knows.",
                "Its wiki shows how each service is written; `signoff target add` checks it.",
            )

        def send(message: Message) -> str:
            result = service.notify(
                body=text_of(message), title=title_of(message), body_format=NotifyFormat.TEXT, timeout=TIMEOUT_S
            )
            if not result:
                said = [str(entry.message) for one in result for entry in one.logs()]
                reason = _ADDRESS.sub("...", said[-1]) if said else result.status.name.lower()
                raise UnavailableError(f"{target.name} did not take it: {reason}", "Look at the service.")
            return "accepted"

        yield send


def title_of(message: Message) -> str:
    """One line that says what it is about."""
    return message.notices[0].title if len(message.notices) == 1 else message.subject


def text_of(message: Message) -> str:
    """What, why, until when, and the link."""
    if len(message.notices) == 1:
        return _lines(message, message.notices[0])
    return "\n\n".join(f"{notice.title}\n{_lines(message, notice)}" for notice in message.notices)


def _lines(message: Message, notice: Notice) -> str:
    return "\n".join(filter(None, [notice.what, notice.why, notice.until, f"{notice.action}: {message.link(notice)}"]))
