"""What one reader is told, as values: the words of a notice, and the message that carries one or several of them.

Made by `notifications`, kept as rows by `store`, put into the form of a mail, a chat message or a webhook by adapters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened, why it is told to this reader, until when they may answer, and where it is looked at.

    `title` fits on a line; `path` is a path of the pages, to which `action` is the way in. `ask` is the gate and the
    digest that could be approved in a chat, where the environment takes that; else empty.
    """

    title: str
    what: str
    why: str = ""
    until: str = ""
    path: str = "/"
    action: str = "Look at it"
    ask: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent at once: one notice, or those that somebody wanted to have gathered.

    `id` stays the same however often it is sent: receivers know a repetition by it. `thread` is the run's id, and
    `subject` is the same for all of a thread. `to` is a mail address, `link_base` the server's public address,
    `unsubscribe` what ends mails to this reader. `data` is for machines.
    """

    id: str
    event: str
    at: datetime
    subject: str
    notices: tuple[Notice, ...]
    link_base: str
    thread: str | None = None
    to: str | None = None
    unsubscribe: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def link(self, notice: Notice) -> str:
        """The whole address of the page that `notice` is about."""
        return f"{self.link_base}{notice.path}"
