"""What belongs to signing in: sessions, API tokens and one-time links, as their owners see them.

Values only; how a secret becomes one of these is the business of `service`. No secret is ever in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from signoff.domain.actor import Role, Scope

SESSION_LASTS = timedelta(hours=12)
"""A session ends so long after it began, whatever happens."""
SESSION_IDLE = timedelta(hours=2)
"""A session ends when nothing came of it for so long."""
LOCAL_LASTS = timedelta(days=3650)
"""How long the session file of the machine itself is good for: as long as there is the file."""
TOKEN_LASTS = timedelta(days=90)
LONGEST_TOKEN = timedelta(days=366)
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256


class Method(StrEnum):
    """How a person proved who they are."""

    PASSWORD = "password"  # noqa: S105 - the name of a method, not a secret
    OIDC = "oidc"
    PASSKEY = "passkey"
    LINK = "link"
    DEVICE = "device"
    FILE = "file"
    """The session file on the server's own machine."""


class Purpose(StrEnum):
    """What a one-time link is for."""

    FIRST_ADMIN = "first_admin"
    INVITE = "invite"
    RESET = "reset"


LINK_LASTS = {
    Purpose.FIRST_ADMIN: timedelta(days=1),
    Purpose.INVITE: timedelta(days=7),
    Purpose.RESET: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. It is over at `expires_at`, and when `idle` passes after `last_seen_at`."""

    id: str
    person: str
    methods: tuple[str, ...]
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    idle: timedelta
    address: str = ""
    agent: str = ""
    revoked_at: datetime | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is the session file of the server's own machine."""
        return Method.FILE in self.methods

    def why_over(self, now: datetime) -> str | None:
        """Why it is over, in words; None while it holds."""
        if self.revoked_at is not None:
            return "it was ended"
        if now >= self.expires_at:
            return "it reached its longest time"
        if now >= self.last_seen_at + self.idle:
            return "it was not used for too long"
        return None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token of a person. `automation` names what may decide with it; only an administrator sets that."""

    id: str
    person: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime
    by: str
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    automation: str | None = None

    def why_over(self, now: datetime) -> str | None:
        """Why it is over, in words; None while it holds."""
        if self.revoked_at is not None:
            return "it was revoked"
        return "it expired" if now >= self.expires_at else None


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link. Without a `person` whoever uses it says their name."""

    id: str
    purpose: Purpose
    person: str | None
    by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """Who comes in by the identity provider, and as what.

    `groups` maps the provider's groups to ours; ours that it names follow the provider at every sign-in, all others
    are left alone. `new_people` are the roles of somebody whom the server did not know; None lets no such person in.
    """

    groups: Mapping[str, str] = field(default_factory=dict)
    new_people: frozenset[Role] | None = None

    def groups_of(self, present: frozenset[str], vouched: frozenset[str] | None) -> frozenset[str]:
        """The groups of somebody in `present` whom the provider says to be in `vouched` of its own."""
        if vouched is None:
            return present
        ours = frozenset(self.groups.values())
        return (present - ours) | frozenset(own for theirs, own in self.groups.items() if theirs in vouched)


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key that only its owner's device has: `id` and `public_key` as WebAuthn gave them, the id in base64url."""

    id: str
    person: str
    name: str
    public_key: bytes
    sign_count: int
    created_at: datetime
    transports: tuple[str, ...] = ()
    last_used_at: datetime | None = None
