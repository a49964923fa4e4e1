"""Revoked approvals: what takes one back, and what that did."""

from __future__ import annotations

from pydantic import Field

from signoff.wire.body import Body, Moment, Request
from signoff.wire.runs import DeploymentBody


class RevokeRequest(Request):
    """Takes back what was approved of a version; with `rollback` it also leaves where it serves."""

    why: str = Field(max_length=10_000)
    rollback: bool = False


class NotRolledBackBody(Body):
    """An environment that still serves the revoked version, and why it could not be rolled back."""

    environment: str
    why: str


class RevokedBody(Body):
    """A revocation: where the version is live, the runs whose gates opened again, and the rollbacks begun."""

    model: str
    version: str
    digest: str
    by: str
    at: Moment
    why: str
    live_in: list[str] = []
    reopened: list[str] = []
    rollbacks: list[DeploymentBody] = []
    not_rolled_back: list[NotRolledBackBody] = []
