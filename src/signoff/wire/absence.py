"""Delegations: who stands in for whom, and when."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from signoff.wire.body import Body, Moment, Request


class DelegationRequest(Request):
    """Names a delegate from `since` until `until` (the end excluded); `person` is the caller by default."""

    delegate: str = Field(min_length=1, max_length=200)
    since: AwareDatetime
    until: AwareDatetime
    person: str | None = Field(default=None, min_length=1, max_length=200)


class DelegationBody(Body):
    """`delegate` may decide for `person` from `since` until `until`; `is_present` whether that is now."""

    id: str
    person: str
    delegate: str
    since: Moment
    until: Moment
    by: str
    ended_at: Moment | None = None
    is_present: bool = False
