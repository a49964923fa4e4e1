"""People, groups, linked accounts and private models: looked at by everybody, changed by administrators.

Every change is one transaction: who there is, the audit event, and whatever ends with it (the sessions and tokens of
who is deactivated).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from signoff.domain.access import Do, authorize
from signoff.domain.account_errors import GroupUnknownError, PeopleNeededError
from signoff.domain.actor import Actor, Directory, Person, Role
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.directory import (
    check_administered,
    describe_person,
    find_person,
    with_changed,
    with_group,
    with_linked,
    with_new,
    with_private,
    without_group,
    without_linked,
)
from signoff.service.administration import first_stuck
from signoff.service.desk import Desk, happened
from signoff.store import accounts, chat, gates, people, sessions, tokens
from signoff.store.database import Transaction

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as a reader may see them: the address is for administrators and themselves."""

    person: Person
    linked: tuple[str, ...]
    can_sign_in: bool


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group and who is in it."""

    name: str
    members: tuple[str, ...]


def list_people(desk: Desk, actor: Actor) -> list[PersonView]:
    """Everybody the server knows, by name."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        directory = people.get_directory(tx)
        known = set(accounts.list_who_can_sign_in(tx, directory.people))
    return [_view(actor, directory, person, known) for _, person in sorted(directory.people.items())]


def get_person(desk: Desk, actor: Actor, name: str) -> PersonView:
    """One person; PersonUnknownError when there is none of that name."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        directory = people.get_directory(tx)
        person = find_person(directory, name)
        return _view(actor, directory, person, accounts.list_who_can_sign_in(tx, [name]))


def _view(actor: Actor, directory: Directory, person: Person, can_sign_in: Collection[str]) -> PersonView:
    """Addresses, second accounts and names of private models are not for everybody."""
    linked: tuple[str, ...] = tuple(sorted(directory.accounts_of(person.name) - {person.name}))
    if not actor.may_manage(person.name):
        models = tuple(p for p in person.models if actor.sees(p)) or ("...",)
        person, linked = replace(person, email=None, models=models), ()
    return PersonView(person, linked, person.name in can_sign_in)


def list_groups(desk: Desk, actor: Actor) -> list[GroupView]:
    """Every group and who is in it, by name."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        directory = people.get_directory(tx)
    return [
        GroupView(group, tuple(sorted(p.name for p in directory.people.values() if group in p.groups)))
        for group in sorted(directory.groups)
    ]


def get_private_models(desk: Desk, actor: Actor) -> tuple[str, ...]:
    """The patterns of the private models, for administrators."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return people.get_directory(tx).private


def add_person(
    desk: Desk,
    actor: Actor,
    name: str,
    *,
    roles: Iterable[Role] = (),
    groups: Iterable[str] = (),
    models: Sequence[str] = ("*",),
    email: str | None = None,
) -> Person:
    """Make an account; its owner signs in once they used the link that `accounts.make_link` gives.

    Raises:
        PersonExistsError: somebody has that name.
        PersonError: a name, group, pattern or address that cannot be.
    """
    authorize(actor, Do.ADMINISTER)
    person = Person(name, frozenset(roles), frozenset(groups), tuple(models) or ("*",), email)

    def change(directory: Directory) -> Directory:
        return with_new(directory, person)

    _change(desk, actor, change, Event.PERSON_ADDED, person=name, changes=list(describe_person(None, person)))
    return person


def change_person(
    desk: Desk,
    actor: Actor,
    name: str,
    *,
    roles: Iterable[Role] | None = None,
    groups: Iterable[str] | None = None,
    models: Sequence[str] | None = None,
    email: str | None = None,
    force: bool = False,
) -> Person:
    """Change what is given about a person; an empty `email` takes the address away.

    Raises:
        PersonUnknownError, PersonError: nobody is called so; a value that cannot be.
        LastAdministratorError: nobody would be left who administers.
        PeopleNeededError: a gate that waits could never be approved any more; `force` goes over that.
    """
    authorize(actor, Do.ADMINISTER)

    def changed(former: Person) -> Person:
        return replace(
            former,
            roles=former.roles if roles is None else frozenset(roles),
            groups=former.groups if groups is None else frozenset(groups),
            models=former.models if models is None else (tuple(models) or ("*",)),
            email=former.email if email is None else (email or None),
        )

    return _change_person(desk, actor, name, changed, Event.PERSON_CHANGED, force=force)


def deactivate_person(desk: Desk, actor: Actor, name: str, *, force: bool = False) -> Person:
    """Shut a person out: their sessions, tokens and links die with it, and their approvals count no longer.

    Raises:
        PersonUnknownError, LastAdministratorError, PeopleNeededError: as `change_person`.
    """
    authorize(actor, Do.ADMINISTER)

    def ended(former: Person) -> Person:
        return replace(former, is_active=False)

    return _change_person(desk, actor, name, ended, Event.PERSON_DEACTIVATED, force=force)


def activate_person(desk: Desk, actor: Actor, name: str) -> Person:
    """Let a deactivated person in again; sessions and tokens of before stay dead."""
    authorize(actor, Do.ADMINISTER)
    return _change_person(
        desk, actor, name, lambda former: replace(former, is_active=True), Event.PERSON_ACTIVATED, force=True
    )


def link_people(desk: Desk, actor: Actor, name: str, other: str, *, force: bool = False) -> tuple[str, ...]:
    """Join two accounts of one human being: neither approves what the other submitted, and they count once.

    Raises:
        PersonUnknownError, AccountLinkError: nobody is called so; they are one account, or linked already.
        PeopleNeededError: as `change_person`.
    """
    authorize(actor, Do.ADMINISTER)
    following = _change(
        desk, actor, lambda d: with_linked(d, name, other), Event.PERSON_LINKED, force=force, person=name, other=other
    )
    return tuple(sorted(following.accounts_of(name)))


def unlink_person(desk: Desk, actor: Actor, name: str) -> None:
    """Say that the account `name` is a human being's only one after all; AccountLinkError when it was."""
    authorize(actor, Do.ADMINISTER)
    _change(desk, actor, lambda d: without_linked(d, name), Event.PERSON_UNLINKED, person=name)


def set_group(
    desk: Desk, actor: Actor, group: str, *, members: Collection[str] | None = None, force: bool = False
) -> GroupView:
    """Make a group, or say with `members` who is in it, and nobody else.

    Raises:
        PersonUnknownError, PersonError: a member is nobody; a name that cannot be.
        PeopleNeededError: as `change_person`.
    """
    authorize(actor, Do.ADMINISTER)
    said = {"group": group, **({"members": sorted(members)} if members is not None else {})}
    following = _change(desk, actor, lambda d: with_group(d, group, members), Event.GROUP_CHANGED, force=force, **said)
    return GroupView(group, tuple(sorted(p.name for p in following.people.values() if group in p.groups)))


def set_member(desk: Desk, actor: Actor, group: str, name: str, *, is_member: bool, force: bool = False) -> GroupView:
    """Put a person into a group, or take them out.

    Raises:
        GroupUnknownError, PersonUnknownError: there is no such group, nobody is called so.
        PeopleNeededError: as `change_person`.
    """
    authorize(actor, Do.ADMINISTER)

    def change(directory: Directory) -> Directory:
        person = find_person(directory, name)
        if group not in directory.groups:
            raise GroupUnknownError(f"There is no group called {group}.", f"`signoff group add {group}` makes it.")
        groups = person.groups | {group} if is_member else person.groups - {group}
        return with_changed(directory, replace(person, groups=groups))

    said = {"group": group, ("added" if is_member else "removed"): name}
    following = _change(desk, actor, change, Event.GROUP_CHANGED, force=force, **said)
    return GroupView(group, tuple(sorted(p.name for p in following.people.values() if group in p.groups)))


def remove_group(desk: Desk, actor: Actor, group: str, *, force: bool = False) -> None:
    """Remove a group that nobody is in; GroupUnknownError, GroupInUseError otherwise."""
    authorize(actor, Do.ADMINISTER)
    _change(desk, actor, lambda d: without_group(d, group), Event.GROUP_REMOVED, force=force, group=group)


def set_private_models(desk: Desk, actor: Actor, patterns: Iterable[str], *, force: bool = False) -> tuple[str, ...]:
    """Say which models are private: seen by administrators and by people whose `models` name them, by nobody else.

    Raises:
        PersonError: a pattern that cannot be.
        PeopleNeededError: as `change_person`.
    """
    authorize(actor, Do.ADMINISTER)
    wanted = sorted(set(patterns))
    following = _change(
        desk, actor, lambda d: with_private(d, wanted), Event.PRIVACY_CHANGED, force=force, private=wanted
    )
    return following.private


def _change_person(
    desk: Desk, actor: Actor, name: str, change: Callable[[Person], Person], event: Event, *, force: bool
) -> Person:
    def on_all(directory: Directory) -> Directory:
        return with_changed(directory, change(find_person(directory, name)))

    return _change(desk, actor, on_all, event, force=force, person=name).people[name]


def _change(
    desk: Desk,
    actor: Actor,
    change: Callable[[Directory], Directory],
    event: Event,
    *,
    force: bool = False,
    **said: Any,
) -> Directory:
    """One change of who there is, with everything that ends with it; nothing is written when nothing changes."""
    at = desk.clock()
    with desk.database.begin() as tx:
        former = people.lock_directory(tx, at=at)
        following = change(former)
        if following == former:
            return former
        check_administered(former, following)
        stuck = first_stuck(gates.list_open_gates(tx, limit=_MOST), former, following)
        if stuck is not None and not force:
            raise PeopleNeededError(stuck, "Keep enough approvers for it, cancel its run first, or say --force.")
        if stuck is not None:
            said["despite"] = stuck
        name = said.get("person")
        if isinstance(name, str) and "changes" not in said:
            after = following.people[name]
            said["changes"] = list(describe_person(former.people.get(name), after))
        _end_what_ends(tx, former, following, at)
        events: list[AuditEvent] = [happened(event, actor, at, **said)]
        people.set_directory(tx, following, by=actor.name, at=at, audit=events)
    return following


def _end_what_ends(tx: Transaction, former: Directory, following: Directory, at: datetime) -> None:
    """End the sessions, tokens and links of everybody who was active and is not any more."""
    for name, person in former.people.items():
        after = following.people.get(name)
        if person.is_active and (after is None or not after.is_active):
            sessions.revoke_sessions_of(tx, name, at=at)
            tokens.revoke_tokens_of(tx, name, at=at)
            accounts.drop_links(tx, person=name)
            chat.drop_accounts_of(tx, name)
