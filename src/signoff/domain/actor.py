"""Who acts, and as what: people, groups, roles and the actor behind one request.

Everything that asks "who is this" or "who is in that group" reads these values; where they come from (a file today,
sign-in later) is the business of `bootstrap` and `store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

GROUP_PREFIX = "group:"
"""How a rule names a group rather than a person: ``group:risk``."""


class Role(StrEnum):
    """What a person may do in general; rules say for which gates."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Credential(StrEnum):
    """How an actor proved who they are. Only a session decides; a token submits and reads."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a kind of credential, not a secret
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Person:
    """A human account. `models` are glob patterns of the models that the roles apply to."""

    name: str
    roles: frozenset[Role] = frozenset()
    groups: frozenset[str] = frozenset()
    models: tuple[str, ...] = ("*",)
    email: str | None = None
    is_active: bool = True

    def covers(self, model: str) -> bool:
        """Whether this person's roles apply to `model`."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is behind one request: a person with one credential, or the system itself."""

    name: str
    roles: frozenset[Role]
    credential: Credential
    models: tuple[str, ...] = ("*",)

    def covers(self, model: str) -> bool:
        """Whether this actor's roles apply to `model`."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)


SYSTEM = Actor("system", frozenset(), Credential.SYSTEM)
"""The actor of what signoff does by itself: driving runs, expiring, deploying."""


def actor_of(person: Person, credential: Credential) -> Actor:
    """The actor that `person` is with `credential`."""
    return Actor(person.name, person.roles, credential, person.models)


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody the server knows, at one moment. Groups are what people say they belong to."""

    people: Mapping[str, Person] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()

    @classmethod
    def of(cls, people: Iterable[Person], groups: Iterable[str] = ()) -> Directory:
        """A directory of `people`; groups that anyone belongs to are known without being listed."""
        by_name = {person.name: person for person in people}
        named = {group for person in by_name.values() for group in person.groups}
        return cls(by_name, frozenset(groups) | named)

    def knows(self, reference: str) -> bool:
        """Whether `reference` (``alice`` or ``group:risk``) names a person or group that exists."""
        if reference.startswith(GROUP_PREFIX):
            return reference.removeprefix(GROUP_PREFIX) in self.groups
        return reference in self.people

    def members(self, reference: str) -> frozenset[str]:
        """The active people behind `reference`; empty for somebody or something unknown."""
        if reference.startswith(GROUP_PREFIX):
            group = reference.removeprefix(GROUP_PREFIX)
            return frozenset(p.name for p in self.people.values() if p.is_active and group in p.groups)
        person = self.people.get(reference)
        return frozenset({person.name}) if person is not None and person.is_active else frozenset()

    def able(self, model: str) -> frozenset[str]:
        """Every active person who holds the approver role for `model`."""
        people = self.people.values()
        return frozenset(p.name for p in people if p.is_active and Role.APPROVER in p.roles and p.covers(model))

    def eligible(self, references: Iterable[str], model: str) -> frozenset[str]:
        """The people whom `references` name and who hold the approver role for `model`."""
        return frozenset[str]().union(*self.approvers(references, model).values())

    def approvers(self, references: Iterable[str], model: str) -> dict[str, frozenset[str]]:
        """For each of `references`, the people behind it who hold the approver role for `model`.

        Everybody is looked at once, however many references there are.
        """
        able = self.able(model)
        groups: dict[str, set[str]] = {}
        for person in able:
            for group in self.people[person].groups:
                groups.setdefault(GROUP_PREFIX + group, set()).add(person)
        return {
            name: frozenset(groups.get(name, ()) if name.startswith(GROUP_PREFIX) else {name} & able)
            for name in references
        }
