"""Absence: naming a delegate, ending that, and listing who stands in for whom."""

from __future__ import annotations

import secrets
from datetime import datetime

from signoff.domain.absence import Delegation, check_can_delegate
from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor, Role
from signoff.domain.audit import Event
from signoff.domain.errors import NotAllowedError
from signoff.service.desk import Desk, happened
from signoff.store import absence, people


def add_delegation(
    desk: Desk, actor: Actor, delegate: str, *, since: datetime, until: datetime, person: str | None = None
) -> Delegation:
    """Let `delegate` decide for `person` (by default the actor) from `since` until `until`, the end excluded.

    Raises:
        NotAllowedError: for somebody else, by another than an administrator.
        DelegationError: it cannot be; the message says why.
    """
    authorize(actor, Do.DELEGATE)
    absent = person or actor.name
    _check_own(actor, absent)
    at = desk.clock()
    wanted = Delegation(secrets.token_hex(6), absent, delegate, since, until, actor.name)
    with desk.database.begin() as tx:
        absence.lock_person(tx, absent)
        known = absence.list_delegations(tx, person=absent, after=at)
        directory = people.get_directory(tx)
        check_can_delegate(absent, delegate, since, until, people=directory, known=known, now=at)
        added = happened(Event.DELEGATION_ADDED, actor, at, **_said(wanted))
        absence.add_delegation(tx, wanted, at=at, audit=[added])
    return wanted


def end_delegation(desk: Desk, actor: Actor, delegation_id: str) -> Delegation:
    """End a delegation now. What the delegate decided until now stands.

    Raises:
        NotFoundError, ConflictError: there is none, or it was ended before.
        NotAllowedError: somebody else's, by another than an administrator.
    """
    authorize(actor, Do.DELEGATE)
    at = desk.clock()
    with desk.database.begin() as tx:
        found = absence.get_delegation(tx, delegation_id)
        _check_own(actor, found.person)
        ended = happened(Event.DELEGATION_ENDED, actor, at, **_said(found))
        absence.end_delegation(tx, found, at=at, audit=[ended])
    return found


def list_delegations(desk: Desk, actor: Actor, *, all_of_them: bool = False) -> list[Delegation]:
    """The delegations that hold or will hold; with `all_of_them` those that are over, too."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return absence.list_delegations(tx, after=None if all_of_them else desk.clock())


def _check_own(actor: Actor, person: str) -> None:
    if person != actor.name and Role.ADMIN not in actor.roles:
        raise NotAllowedError(
            f"{actor.name} may not name a delegate for {person}.", f"{person} or an administrator can."
        )


def _said(delegation: Delegation) -> dict[str, str]:
    return {
        "delegation": delegation.id,
        "person": delegation.person,
        "delegate": delegation.delegate,
        "since": delegation.since.isoformat(),
        "until": delegation.until.isoformat(),
    }
