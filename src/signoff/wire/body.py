"""What every body has in common, lists with a cursor, and problems (RFC 9457)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer

T = TypeVar("T")


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(_rfc3339, when_used="json")]
"""A time in RFC 3339, UTC."""


class Body(BaseModel):
    """A response body: read from the service's values by attribute; unknown fields are ignored by older clients."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Request(BaseModel):
    """A request body: an unknown field is a mistake and refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Body, Generic[T]):
    """One page of a list; `next` is the cursor of the following one, null on the last."""

    items: list[T]
    next: str | None = None


class Place(Body):
    """Where in a sent document something is wrong."""

    message: str
    code: str = ""
    hint: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None
    severity: str = "error"


class Problem(Body):
    """application/problem+json: what was refused, why, and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    hint: str = ""
    errors: list[Place] = []
    request_id: str | None = None
