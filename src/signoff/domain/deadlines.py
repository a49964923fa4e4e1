"""Time at a gate: which deadlines it opens with, what is due at a moment, and when a clock may be believed.

Deadlines are moments, and lengths are elapsed time: neither a restart nor a change to daylight saving moves them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from signoff.domain.gate import Gate, GateStatus
from signoff.domain.pipeline import ApprovalStep, OnTimeout

MOST_SKEW = timedelta(minutes=1)
"""How far the clock of whoever acts may be from the database's."""

LONGEST_GAP = timedelta(minutes=5)
"""After a longer silence nobody acts at once: the clock may have jumped, or people may not have been able to answer."""


EXPIRY_SHARE = 10
"""An approval that stands briefly is told of in the last tenth of its time, however long before others are."""


class Due(StrEnum):
    """What the time asks for. `lapse`: an approval that was given has grown too old."""

    EXPIRE = "expire"
    ESCALATE = "escalate"
    REMIND = "remind"
    LAPSE = "lapse"


class Opening(NamedTuple):
    """The deadlines that a gate opens with, named as its fields."""

    expires_at: datetime | None
    remind_at: datetime | None


def opening(step: ApprovalStep, at: datetime) -> Opening:
    """The deadlines of a gate of `step` that opens at this moment."""
    return Opening(
        expires_at=at + step.timeout if step.timeout is not None else None,
        remind_at=at + step.remind_every if step.remind_every is not None else None,
    )


def stands_until(gate: Gate, status: GateStatus, closed_at: datetime) -> datetime | None:
    """Until when the approval stands that closes `gate`; None without end, and for what is no approval."""
    if status is not GateStatus.APPROVED or gate.valid_for is None:
        return None
    return closed_at + gate.valid_for


def due(gate: Gate, now: datetime) -> tuple[Due, ...]:
    """What is to be done about `gate` now, in order. Once it is done it is due no longer."""
    if gate.status is GateStatus.APPROVED:
        return (Due.LAPSE,) if is_past(gate, now) and gate.lapsed_at is None else ()
    if gate.status is not GateStatus.OPEN:
        return ()
    found: list[Due] = []
    if gate.expires_at is not None and gate.expires_at <= now and gate.escalated_at is None:
        if gate.on_timeout is OnTimeout.EXPIRE:
            return (Due.EXPIRE,)
        found.append(Due.ESCALATE)
    if gate.remind_at is not None and gate.remind_at <= now:
        found.append(Due.REMIND)
    return tuple(found)


def is_past(gate: Gate, now: datetime) -> bool:
    """Whether the approval of `gate` stands no longer because of its age."""
    return gate.valid_until is not None and gate.valid_until <= now


def is_expiring(gate: Gate, now: datetime, notice: timedelta) -> bool:
    """Whether the approval of `gate` will soon be too old, `notice` before at most, and its people know nothing yet."""
    if gate.status is not GateStatus.APPROVED or gate.valid_until is None or gate.valid_for is None:
        return False
    is_known = gate.warned_at is not None or gate.lapsed_at is not None
    return not is_known and gate.valid_until - min(notice, gate.valid_for / EXPIRY_SHARE) <= now < gate.valid_until


def next_reminder(gate: Gate, now: datetime) -> datetime | None:
    """When to remind again after reminding now: the rhythm is kept, and what was missed is not made up for."""
    if gate.remind_at is None or gate.remind_every is None:
        return None
    missed = max(now - gate.remind_at, timedelta()) // gate.remind_every
    return gate.remind_at + (missed + 1) * gate.remind_every


def why_not_act(mine: datetime, theirs: datetime, former: datetime | None) -> str | None:
    """Why nothing may be done about deadlines at this tick, in words; None when it may.

    `mine` is the clock of whoever acts, `theirs` the database's, `former` the database's at the tick before. Whatever
    the reason, the tick is remembered, so that a minute later all is well unless the clock moves again.
    """
    if abs(mine - theirs) > MOST_SKEW:
        return f"this clock says {said(mine)}, the database's {said(theirs)}"
    if former is None:
        return "this is the first tick"
    if theirs < former:
        return f"the clock went back: the tick before was at {said(former)}"
    if theirs - former > LONGEST_GAP:
        return f"the tick before was long ago, at {said(former)}"
    return None


def said(moment: datetime, since: datetime | None = None) -> str:
    """`moment` as a sentence says it: ``24 November 09:00 UTC``; the year where it is not that of `since`."""
    there = moment.astimezone(UTC)
    year = "" if since is not None and since.astimezone(UTC).year == there.year else f" {there.year}"
    return f"{there.day} {_MONTHS[there.month - 1]}{year} {there:%H:%M} UTC"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
