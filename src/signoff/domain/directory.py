"""Changing who there is: pure steps from one directory to the next, and what each changed, in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from signoff.domain.account_errors import (
    AccountLinkError,
    GroupInUseError,
    GroupUnknownError,
    LastAdministratorError,
    PersonError,
    PersonExistsError,
    PersonUnknownError,
)
from signoff.domain.actor import SYSTEM, Directory, Person, Role

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATTERN = re.compile(r"[^\s/:]{1,255}")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,255}")
MOST_PEOPLE = 5000


def check_name(name: str, what: str = "a person") -> str:
    """`name`, when it can be the name of a person or group; PersonError otherwise."""
    if not _NAME.fullmatch(name):
        raise PersonError(
            f"{name[:100]!r} is not a name for {what}.", "Up to 100 of a-z, A-Z, 0-9, dot, dash and underscore."
        )
    if name.casefold() == SYSTEM.name:
        raise PersonError(f"Nobody can be called {name}: signoff itself acts under that name.", "Choose another name.")
    return name


def find_person(directory: Directory, name: str) -> Person:
    """The person called `name`; PersonUnknownError when there is none."""
    found = directory.people.get(name)
    if found is None:
        raise PersonUnknownError(f"{name} is not known to this server.", "`signoff user list` shows everybody.")
    return found


def checked(person: Person) -> Person:
    """`person`, when every field can be; PersonError otherwise."""
    check_name(person.name)
    for group in person.groups:
        check_name(group, "a group")
    check_patterns(person.models)
    if person.email is not None and not _EMAIL.fullmatch(person.email):
        raise PersonError(f"{person.email[:100]!r} is not an address.", "Write it like alice@example.org.")
    return person


def check_patterns(patterns: Iterable[str]) -> None:
    """Return when these can be names or patterns of models; PersonError otherwise."""
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise PersonError(f"{pattern[:100]!r} is not a pattern of model names.", "Write it like 'fraud-*'.")


def with_new(directory: Directory, person: Person) -> Directory:
    """The directory with one person more.

    Raises:
        PersonExistsError, PersonError: somebody is called so, give or take upper case, or there are too many.
    """
    taken = next((name for name in directory.people if name.casefold() == person.name.casefold()), None)
    if taken is not None:
        raise PersonExistsError(f"Somebody is called {taken} already.", "`signoff user change` changes them.")
    if len(directory.people) >= MOST_PEOPLE:
        raise PersonError(f"There are {len(directory.people)} people already.", f"signoff knows {MOST_PEOPLE} at most.")
    return with_changed(directory, person)


def with_changed(directory: Directory, person: Person) -> Directory:
    """The directory with `person` as they are now; a group that they name exists from then on."""
    people = {**directory.people, person.name: checked(person)}
    return replace(directory, people=people, groups=directory.groups | person.groups)


def with_group(directory: Directory, group: str, members: Collection[str] | None = None) -> Directory:
    """The directory with the group; with `members` exactly these are in it.

    Raises:
        PersonUnknownError: a member is nobody.
    """
    check_name(group, "a group")
    people = dict(directory.people)
    for name in members or ():
        find_person(directory, name)
    if members is not None:
        for person in directory.people.values():
            groups = person.groups | {group} if person.name in members else person.groups - {group}
            people[person.name] = replace(person, groups=groups)
    return replace(directory, people=people, groups=directory.groups | {group})


def without_group(directory: Directory, group: str) -> Directory:
    """The directory without the group, which nobody is in.

    Raises:
        GroupUnknownError, GroupInUseError: there is none; somebody is in it.
    """
    if group not in directory.groups:
        raise GroupUnknownError(f"There is no group called {group}.", "`signoff group list` shows them.")
    members = sorted(p.name for p in directory.people.values() if group in p.groups)
    if members:
        raise GroupInUseError(f"{', '.join(members[:5])} {_are(members)} in {group}.", "Take everybody out first.")
    return replace(directory, groups=directory.groups - {group})


def with_linked(directory: Directory, one: str, other: str) -> Directory:
    """The directory in which both accounts, and whatever is linked to either, belong to one human being."""
    find_person(directory, one)
    find_person(directory, other)
    if one == other:
        raise AccountLinkError(f"{one} is one account.", "Name two.")
    if other in directory.accounts_of(one):
        raise AccountLinkError(f"{one} and {other} are linked already.")
    joined = directory.accounts_of(one) | directory.accounts_of(other)
    rest = [accounts for accounts in directory.linked if not joined & set(accounts)]
    return replace(directory, linked=tuple(sorted([*rest, tuple(sorted(joined))])))


def without_linked(directory: Directory, name: str) -> Directory:
    """The directory in which the account `name` is nobody else's second one."""
    find_person(directory, name)
    joined = directory.accounts_of(name)
    if len(joined) == 1:
        raise AccountLinkError(f"{name} is not linked to another account.", "`signoff user list` shows who is.")
    rest = [accounts for accounts in directory.linked if name not in accounts]
    left = tuple(sorted(joined - {name}))
    return replace(directory, linked=tuple(sorted([*rest, left] if len(left) > 1 else rest)))


def with_private(directory: Directory, patterns: Iterable[str]) -> Directory:
    """The directory in which the models of these patterns are private."""
    wanted = tuple(sorted(set(patterns)))
    check_patterns(wanted)
    return replace(directory, private=wanted)


def check_administered(former: Directory, following: Directory) -> None:
    """Return unless the last active administrator would go; LastAdministratorError then."""
    if _administrators(former) and not _administrators(following):
        raise LastAdministratorError(
            f"Nobody would be left who administers: {' and '.join(_administrators(former))} is the last.",
            "Make somebody else an administrator first.",
        )


def _administrators(directory: Directory) -> list[str]:
    return sorted(p.name for p in directory.people.values() if p.is_active and Role.ADMIN in p.roles)


def describe_person(before: Person | None, after: Person) -> tuple[str, ...]:
    """What is another about a person, in words."""
    return tuple(_differences(before or Person(after.name, models=after.models), after))


def _differences(before: Person, after: Person) -> Iterator[str]:
    for what, was, now in (("role", before.roles, after.roles), ("group", before.groups, after.groups)):
        yield from (f"gets the {what} {name}" for name in sorted(now - was))
        yield from (f"loses the {what} {name}" for name in sorted(was - now))
    if before.models != after.models:
        yield f"acts on {', '.join(after.models)} instead of {', '.join(before.models)}"
    if before.email != after.email:
        yield "gets another address" if after.email else "has no address any more"
    if before.is_active != after.is_active:
        yield "is active again" if after.is_active else "is deactivated"


def _are(names: Collection[str]) -> str:
    return "is" if len(names) == 1 else "are"
