"""Who acts, and as what: people, groups, roles and the actor behind one request.

Everything that asks "who is this" or "who is in that group" reads these values; where they come from (a sign-in, a
token, a file that was imported) is the business of `service` and `store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    """How an actor proved who they are. A session decides; a token does what its scopes say.

    `chat`: a linked user of a chat, who reads there, and approves where the environment takes that; nothing else.
    `pipeline`: a registered pipeline, which submits in its registrar's name; nothing else.
    """

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a kind of credential, not a secret
    CHAT = "chat"
    PIPELINE = "pipeline"
    SYSTEM = "system"


class Scope(StrEnum):
    """What an API token may be used for, at most: its person's own rights still bound it."""

    READ = "read"
    SUBMIT = "submit"
    AUDIT = "audit"
    DECIDE = "decide"


def reaches(patterns: Iterable[str], model: str, private: Iterable[str] = ()) -> bool:
    """Whether one of `patterns` takes in `model`. What `private` takes in is not reached by a bare ``*``."""
    if any(fnmatchcase(model, pattern) for pattern in private):
        patterns = [pattern for pattern in patterns if pattern.strip("*")]
    return any(fnmatchcase(model, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Person:
    """A human account. `models` are glob patterns of the models that the roles apply to."""

    name: str
    roles: frozenset[Role] = frozenset()
    groups: frozenset[str] = frozenset()
    models: tuple[str, ...] = ("*",)
    email: str | None = None
    is_active: bool = True

    def covers(self, model: str, private: Iterable[str] = ()) -> bool:
        """Whether this person's roles apply to `model`, where `private` are the patterns of the private models."""
        return reaches(self.models, model, private)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is behind one request: a person with one credential, or the system itself.

    `private` are the patterns of the models that only those see whose `models` name them. `credential_id` is the
    session's or token's, or the chat's team and user; `methods` and `authenticated_at` say how and when the person of
    a session last proved who they are. `scopes` bound a token; `automation` is what an administrator named it for,
    when it may decide.
    """

    name: str
    roles: frozenset[Role]
    credential: Credential
    models: tuple[str, ...] = ("*",)
    private: tuple[str, ...] = ()
    credential_id: str | None = None
    methods: tuple[str, ...] = ()
    authenticated_at: datetime | None = None
    scopes: frozenset[Scope] = frozenset({Scope.READ, Scope.SUBMIT})
    automation: str | None = None

    def covers(self, model: str) -> bool:
        """Whether this actor's roles apply to `model`."""
        return reaches(self.models, model, self.private)

    def may_manage(self, person: str) -> bool:
        """Whether what belongs to the account of `person` is this actor's to see and end."""
        return person == self.name or Role.ADMIN in self.roles or self.credential is Credential.SYSTEM

    def sees(self, model: str) -> bool:
        """Whether this actor may know that `model` exists: private ones only where their patterns name them."""
        if self.credential is Credential.SYSTEM or Role.ADMIN in self.roles:
            return True
        return not any(fnmatchcase(model, pattern) for pattern in self.private) or self.covers(model)


SYSTEM = Actor("system", frozenset(), Credential.SYSTEM)
"""The actor of what signoff does by itself: driving runs, expiring, deploying."""


def actor_of(person: Person, credential: Credential, private: tuple[str, ...] = ()) -> Actor:
    """The actor that `person` is with `credential`, where the models of the patterns `private` are private."""
    return Actor(person.name, person.roles, credential, person.models, private)


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody the server knows, at one moment. Groups are what people say they belong to.

    `private` are the patterns of the private models. `linked` are accounts that belong to one human being, a tuple
    for each who has several.
    """

    people: Mapping[str, Person] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    private: tuple[str, ...] = ()
    linked: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(
        cls,
        people: Iterable[Person],
        groups: Iterable[str] = (),
        private: Iterable[str] = (),
        linked: Iterable[Iterable[str]] = (),
    ) -> Directory:
        """A directory of `people`; groups that anyone belongs to are known without being listed."""
        by_name = {person.name: person for person in people}
        named = {group for person in by_name.values() for group in person.groups}
        same = sorted(tuple(sorted(accounts)) for accounts in linked)
        return cls(by_name, frozenset(groups) | named, tuple(sorted(set(private))), tuple(same))

    def accounts_of(self, name: str) -> frozenset[str]:
        """Every account of the human being behind `name`, which is among them."""
        return next((frozenset(accounts) for accounts in self.linked if name in accounts), frozenset({name}))

    def with_accounts(self, names: Iterable[str]) -> frozenset[str]:
        """`names` with every other account of the same human beings."""
        found = frozenset(names)
        return found.union(*(accounts for accounts in self.linked if found.intersection(accounts)))

    def human(self, name: str) -> str:
        """One word for the human being behind `name`, the same for each of their accounts."""
        return next((accounts[0] for accounts in self.linked if name in accounts), name)

    def humans(self, names: Iterable[str]) -> frozenset[str]:
        """`names`, of several accounts of one human being only one."""
        return frozenset(names) if not self.linked else frozenset(self.human(name) for name in names)

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
        able = (p for p in people if p.is_active and Role.APPROVER in p.roles)
        return frozenset(p.name for p in able if p.covers(model, self.private))

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
