"""Applying environments, and what became of them: requests, what changed, and the history."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from signoff.wire.body import Body, Moment, Place, Request


class EnvironmentRequest(Request):
    """One environment, in the words of environments.yaml. `force` goes over what would refuse it."""

    environment: dict[str, Any]
    force: bool = False


class EnvironmentsRequest(Request):
    """A whole environments.yaml: what it does not name is removed."""

    document: str = Field(max_length=262_144)
    filename: str = Field(default="environments.yaml", max_length=200)
    force: bool = False


class AppliedBody(Body):
    """What applying changed, in words. `gates` took over new rules; `despite` is what `force` went over."""

    changes: list[str] = []
    gates: list[str] = []
    despite: list[str] = []
    warnings: list[Place] = []


class EnvironmentVersionBody(Body):
    """One version of an environment: who applied it, and what that changed."""

    number: int
    by: str
    at: Moment
    changes: list[str]
