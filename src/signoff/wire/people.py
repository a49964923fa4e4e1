"""People, groups, sessions, tokens and one-time links: requests, and what is shown of them. A secret is shown once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from signoff.wire.body import Body, Moment, Request

Name = Annotated[str, Field(min_length=1, max_length=100)]
Names = Annotated[list[Name], Field(max_length=5000)]
Pattern = Annotated[str, Field(min_length=1, max_length=255)]
Patterns = Annotated[list[Pattern], Field(max_length=200)]
RoleWord = Literal["viewer", "submitter", "approver", "auditor", "admin"]
ScopeWord = Literal["read", "submit", "audit", "decide"]


class PersonRequest(Request):
    """A new person."""

    name: Name
    roles: list[RoleWord] = Field(default_factory=list, max_length=5)
    groups: Names = Field(default_factory=list)
    models: Patterns = Field(default_factory=lambda: ["*"])
    email: str | None = Field(default=None, max_length=320)


class PersonChangeRequest(Request):
    """What is to be another about a person; what is not given stays. An empty `email` takes the address away."""

    roles: list[RoleWord] | None = Field(default=None, max_length=5)
    groups: Names | None = None
    models: Patterns | None = None
    email: str | None = Field(default=None, max_length=320)
    force: bool = False


class ForceRequest(Request):
    """`force` goes over a gate that waits and could never be approved any more."""

    force: bool = False


class LinkedRequest(Request):
    """The other account of the same human being."""

    other: Name
    force: bool = False


class GroupRequest(Request):
    """A group; with `members` exactly these are in it."""

    members: Names | None = None
    force: bool = False


class PrivateRequest(Request):
    """The patterns of the private models: all of them, what is not named is private no longer."""

    private: Patterns
    force: bool = False


class TokenRequest(Request):
    """A new token, for the caller or (by an administrator) for `person`."""

    name: Name
    scopes: list[ScopeWord] = Field(default=["read", "submit"], min_length=1, max_length=4)
    days: int = Field(default=90, ge=1, le=366)
    person: Name | None = None
    automation: Name | None = None


class PasswordRequest(Request):
    """The caller's new password; `current` is the present one, where there is one."""

    password: str = Field(max_length=1024, repr=False)
    current: str | None = Field(default=None, max_length=1024, repr=False)


class PersonBody(Body):
    """A person. `email`, `linked` and the names of private models are for administrators and themselves."""

    name: str
    roles: list[str]
    groups: list[str]
    models: list[str]
    email: str | None = None
    is_active: bool = True
    linked: list[str] = []
    can_sign_in: bool = False


class GroupBody(Body):
    """A group and who is in it."""

    name: str
    members: list[str]


class PrivateBody(Body):
    """The patterns of the private models."""

    private: list[str]


class LinkBody(Body):
    """A one-time link, shown this once."""

    url: str
    purpose: str
    person: str | None
    expires_at: Moment


class SessionBody(Body):
    """A sign-in that holds. `is_present`: the one that this was asked with."""

    id: str
    person: str
    methods: list[str]
    created_at: Moment
    last_seen_at: Moment
    expires_at: Moment
    address: str = ""
    agent: str = ""
    is_present: bool = False


class TokenBody(Body):
    """A token, without its secret."""

    id: str
    person: str
    name: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment
    last_used_at: Moment | None = None
    by: str = ""
    automation: str | None = None


class MadeTokenBody(TokenBody):
    """A token with its secret, shown this once."""

    secret: str = Field(repr=False)


class EndedBody(Body):
    """How many sessions were ended."""

    ended: int
