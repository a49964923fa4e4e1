"""How long a gate waits and how long its approval lasts: `timeout` and what belongs to it, of an approval step.

Read by `spec.steps`. What the fields mean together is judged here; who is behind a name, in `spec.approvers`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple

from signoff.domain.pipeline import OnTimeout
from signoff.spec.fields import Fields
from signoff.spec.rules import read_approvers

FIELDS = ("timeout", "on_timeout", "escalate_to", "remind_every", "valid_for")
MISTAKES = {
    **dict.fromkeys(("deadline", "expires", "expires_in", "expire_after", "wait", "max_wait"), "timeout"),
    **dict.fromkeys(("on_expiry", "on_expire", "after_timeout"), "on_timeout"),
    **dict.fromkeys(("escalate", "escalation", "escalate_after", "escalation_to"), "escalate_to"),
    **dict.fromkeys(("remind", "reminder", "reminders", "remind_after", "nag"), "remind_every"),
    **dict.fromkeys(("valid", "validity", "valid_until", "lasts", "approval_valid_for"), "valid_for"),
}

_EXAMPLE = "escalate_to: ['group:leads']"
_WHOLE = "write timeout: 72h and on_timeout: escalate beside it, or take it out"


class Deadlines(NamedTuple):
    """The fields, named as those of `ApprovalStep` that they fill."""

    timeout: timedelta | None
    on_timeout: OnTimeout
    escalate_to: tuple[str, ...]
    remind_every: timedelta | None
    valid_for: timedelta | None


def read_deadlines(fields: Fields) -> Deadlines:
    """What an approval's inputs say about time; every field that could never come to bear is refused."""
    timeout = fields.duration("timeout")
    on_timeout = fields.choice("on_timeout", OnTimeout, default=OnTimeout.EXPIRE)
    escalate_to = read_approvers(fields, "escalate_to")
    remind_every = fields.duration("remind_every")
    valid_for = fields.duration("valid_for")
    if "timeout" not in fields:
        _needless(fields, "on_timeout", "without timeout", "add timeout: 72h; without it a gate waits for ever")
    if on_timeout is OnTimeout.ESCALATE and "escalate_to" not in fields:
        node = fields.table.entries["on_timeout"].value
        fields.error(node, "on_timeout: escalate does not say to whom", f"add {_EXAMPLE}", code="missing")
    if on_timeout is OnTimeout.EXPIRE and _is_well_formed(fields, "on_timeout"):
        _needless(fields, "escalate_to", "without on_timeout: escalate", _WHOLE)
    if timeout is not None and remind_every is not None and remind_every >= timeout and on_timeout is OnTimeout.EXPIRE:
        place = fields.table.entries["remind_every"].value.place
        fields.problems.warn(place, "no reminder comes before the timeout", "write less than timeout")
    return Deadlines(timeout, on_timeout, escalate_to, remind_every, valid_for)


def read_step_up(fields: Fields) -> Literal["passkey"] | None:
    """What has to confirm an approval, of a step or of an environment."""
    return "passkey" if fields.word("step_up", ["passkey"]) is not None else None


def _needless(fields: Fields, key: str, why: str, hint: str) -> None:
    """Refuse `key`, where it is there, because nothing would ever come of it."""
    entry = fields.table.entries.get(key)
    if entry is not None:
        fields.problems.error(entry.key.place, f"{key} means nothing {why}", hint)


def _is_well_formed(fields: Fields, key: str) -> bool:
    """Whether `key` is missing or one of its words: what was misspelt is told once, by itself."""
    entry = fields.table.entries.get(key)
    return entry is None or getattr(entry.value, "text", "") in {str(word) for word in OnTimeout}
