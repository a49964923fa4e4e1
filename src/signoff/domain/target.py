"""Targets: what administrators defined to tell people and machines through; and what becomes of each delivery.

A delivery is one notice on its way to one reader. Its row is the truth about it: what was tried, what was answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from signoff.domain.actor import reaches
from signoff.domain.errors import ConflictError, InvalidError, NotFoundError, SignoffError
from signoff.domain.notice import Notice
from signoff.domain.secret import Secret

MAIL = "mail"
"""The one target that is not made by a command: it is there once SIGNOFF_SMTP_URL is set."""

GIVE_UP_AFTER = timedelta(days=1)
"""What could not be delivered for so long is given up; a target that failed for so long without a break is paused."""

_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30))
_LONGEST_PAUSE = timedelta(hours=1)
_FEWEST_FAILURES = 5
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_URL = 2000


class TargetUnknownError(NotFoundError):
    """No target has that name."""

    code = "target_unknown"


class TargetExistsError(ConflictError):
    """A target has that name already."""

    code = "target_exists"


class TargetError(InvalidError):
    """A name, address or filter of a target that cannot be."""

    code = "bad_target"


class DeliveryUnknownError(NotFoundError):
    """No delivery has that id."""

    code = "delivery_unknown"


class RefusedError(SignoffError):
    """The receiver does not take this one message, though others may get through. `is_final`: it never will."""

    code = "delivery_refused"

    def __init__(self, what: str, hint: str = "", *, is_final: bool = False) -> None:
        super().__init__(what, hint)
        self.is_final = is_final


class GoneError(SignoffError):
    """The receiver says that it is no longer there, and wants nothing more."""

    code = "target_gone"


class TargetKind(StrEnum):
    """Through what: mail to people, a signed webhook to a machine, a chat service by its Apprise URL.

    `slack` is Slack's own incoming webhook, whose messages carry buttons.
    """

    MAIL = "mail"
    WEBHOOK = "webhook"
    CHAT = "chat"
    SLACK = "slack"


_BY_HTTP = frozenset({TargetKind.WEBHOOK, TargetKind.SLACK})


class DeliveryStatus(StrEnum):
    """Where a delivery stands. `failed`: given up. `dropped`: it was no longer so when its turn came."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Target:
    """Something to tell through. `url` and `secret` are never shown again.

    It hears of runs whose pipeline names it under `notify`, and of the `models` that it is for, as far as `events`
    take them in (both are patterns). With a `person` it is theirs alone, and what would have been their mail goes
    there. `owner` is told when it has to be paused.
    """

    name: str
    kind: TargetKind
    owner: str
    created_at: datetime
    url: Secret = field(default_factory=lambda: Secret(""))
    secret: Secret | None = None
    person: str | None = None
    events: tuple[str, ...] = ("*",)
    models: tuple[str, ...] = ()
    paused_at: datetime | None = None
    paused_why: str = ""
    failures: int = 0
    failing_since: datetime | None = None
    retry_at: datetime | None = None

    @property
    def is_paused(self) -> bool:
        """Whether what is due waits until somebody resumes it."""
        return self.paused_at is not None

    @property
    def is_shared(self) -> bool:
        """Whether it is a machine's or a channel's, not a person's way to be told."""
        return self.kind is not TargetKind.MAIL and self.person is None

    def hears(self, event: str, model: str | None, *, is_named: bool, to_all: bool, private: Iterable[str]) -> bool:
        """Whether it is told of `event`. `is_named`: the pipeline does; `to_all`: it concerns everybody.

        A private model is told of only where the pipeline or the target's patterns name it.
        """
        if not self.is_shared or not any(fnmatchcase(event, pattern) for pattern in self.events):
            return False
        if is_named:
            return True
        if model is None:
            return to_all
        private = tuple(private)
        is_private = any(fnmatchcase(model, pattern) for pattern in private)
        return reaches(self.models, model, private) or (to_all and not is_private)

    def must_be_paused(self, now: datetime) -> bool:
        """Whether it did nothing but fail for so long that it is not tried any more."""
        return (
            not self.is_paused
            and self.failing_since is not None
            and self.failures >= _FEWEST_FAILURES
            and now - self.failing_since >= GIVE_UP_AFTER
        )

    @property
    def shown_url(self) -> str:
        """What may be shown of its address: the service, and of a webhook the host."""
        parts = urlsplit(self.url.reveal())
        return f"{parts.scheme}://{parts.hostname or '...'}" if self.kind in _BY_HTTP else f"{parts.scheme}://..."


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way to one reader: to `person` through `target`, or to whoever is behind the target.

    `due_at` is when it was to be sent first, `send_at` when it is tried next. `is_gathered`: it goes with whatever
    else is due for the same reader. `key` makes sure that nobody is told twice of one event.
    """

    id: str
    key: str
    event: str
    target: str
    subject: str
    notice: Notice
    made_at: datetime
    due_at: datetime
    send_at: datetime
    event_index: int | None = None
    person: str | None = None
    run_id: str | None = None
    gate_id: str | None = None
    model: str | None = None
    is_gathered: bool = False
    status: DeliveryStatus = DeliveryStatus.WAITING
    tries: int = 0
    answer: str = ""
    ended_at: datetime | None = None
    data: dict[str, object] = field(default_factory=dict)


def back_off(failures: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    return _PAUSES[failures - 1] if 0 < failures <= len(_PAUSES) else _LONGEST_PAUSE


def check_target(name: str, kind: TargetKind, url: str, events: Iterable[str], models: Iterable[str]) -> None:
    """Return when a target may be made of these.

    Raises:
        TargetError: with what is wrong.
    """
    if _NAME.fullmatch(name) is None or name == MAIL:
        raise TargetError(f"{name!r} is no name for a target.", "Use letters, digits and . _ -, and not `mail`.")
    if len(url) > _LONGEST_URL or not url.isprintable() or any(character.isspace() for character in url):
        raise TargetError("The address cannot be one.", f"It has no spaces, and {_LONGEST_URL} characters at most.")
    scheme = urlsplit(url).scheme
    if kind in _BY_HTTP and (scheme not in {"http", "https"} or not urlsplit(url).hostname):
        what = "a webhook" if kind is TargetKind.WEBHOOK else "an incoming webhook of Slack"
        raise TargetError(f"The address of {what} begins with https://.", "Chat services take --kind chat.")
    if not scheme:
        raise TargetError("The address names no service.", "For example slack://..., workflows://..., ntfys://...")
    for pattern in (*events, *models):
        if not pattern or len(pattern) > 255 or not pattern.isprintable():  # noqa: PLR2004 - a registry's longest name
            raise TargetError(f"{pattern!r} is no pattern.", "For example fraud-* or gate.*")
