"""Absence: a person names a delegate and dates, and meanwhile the delegate may decide for them.

The decision counts as the absent person's, and both names are on record. Separation of duties is judged on both, and
nobody passes on what was delegated to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from signoff.domain.actor import Directory, Role
from signoff.domain.errors import DelegationError

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Delegation:
    """`person` is away from `since` until `until` (the end excluded); `delegate` may decide for them. `by` wrote it."""

    id: str
    person: str
    delegate: str
    since: datetime
    until: datetime
    by: str
    ended_at: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Whether it holds at the moment `at`."""
        return self.since <= at < min(self.until, self.ended_at or self.until)


def check_can_delegate(
    person: str,
    delegate: str,
    since: datetime,
    until: datetime,
    *,
    people: Directory,
    known: Sequence[Delegation],
    now: datetime,
) -> None:
    """Return when `person` may name `delegate` for that time. `known` are the delegations of `person`.

    Raises:
        DelegationError: an unknown or inactive person, no approver, oneself, a time that is over, empty or too long, or
            one that overlaps another of theirs.
    """
    for name in (person, delegate):
        found = people.people.get(name)
        if found is None or not found.is_active:
            state = "is not known to this server" if found is None else "is deactivated"
            raise DelegationError(f"{name} {state}.", "Name somebody who can sign in.")
        if Role.APPROVER not in found.roles:
            raise DelegationError(
                f"{name} does not hold the role approver, so there is nothing to stand in for.",
                "An administrator can give the role.",
            )
    if delegate in people.accounts_of(person):
        raise DelegationError(f"{person} cannot stand in for themselves.", "Name somebody else.")
    if until <= since:
        raise DelegationError("The absence ends before it begins.", "--until is the last day, --from the first.")
    if until <= now:
        raise DelegationError("The absence is over already.", "Give a day that is still to come.")
    if until - since > LONGEST:
        raise DelegationError("An absence lasts a year at most.", "Ask an administrator to change the approvers.")
    for other in known:
        end = min(other.until, other.ended_at or other.until)
        if other.since < until and since < end:
            raise DelegationError(
                f"{person} named {other.delegate} already, from {_day(other.since)} to {_day(end)}.",
                f"End that first: `signoff delegate --end {other.id}`.",
            )


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
