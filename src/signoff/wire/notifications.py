"""Targets, deliveries, and how somebody wants to be told."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal

from pydantic import Field

from signoff.wire.body import Body, Moment, Request

KindWord = Literal["webhook", "slack", "chat"]
PaceWord = Literal["instant", "hourly", "daily", "off"]
DayWord = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Pattern = Annotated[str, Field(min_length=1, max_length=255)]


class TargetRequest(Request):
    """A new target. `events` and `models` are patterns; with a `person` it is theirs alone."""

    name: str = Field(min_length=1, max_length=64)
    kind: KindWord
    url: str = Field(min_length=1, max_length=2000, repr=False)
    events: list[Pattern] = Field(default_factory=lambda: ["*"], max_length=100)
    models: list[Pattern] = Field(default_factory=list, max_length=100)
    person: str | None = Field(default=None, min_length=1, max_length=200)


class PauseRequest(Request):
    """Why a target is paused."""

    why: str = Field(default="", max_length=500)


class TargetBody(Body):
    """A target. Of its address only the service is shown."""

    name: str
    kind: str
    url: str
    owner: str
    created_at: Moment
    events: list[str] = []
    models: list[str] = []
    person: str | None = None
    paused_at: Moment | None = None
    paused_why: str = ""
    failures: int = 0
    retry_at: Moment | None = None


class MadeTargetBody(TargetBody):
    """A target with the secret that a webhook's receiver checks signatures with, shown this once."""

    secret: str | None = Field(default=None, repr=False)


class DeliveryBody(Body):
    """One notice on its way to one reader, and what was answered."""

    id: str
    event: str
    target: str
    title: str
    status: str
    person: str | None = None
    run_id: str | None = None
    model: str | None = None
    made_at: Moment
    send_at: Moment
    tries: int = 0
    answer: str = ""
    ended_at: Moment | None = None


class HoursBody(Request):
    """From when until when somebody works, on which days."""

    since: time = time(9)
    until: time = time(17)
    days: list[DayWord] = Field(default=["mon", "tue", "wed", "thu", "fri"], min_length=1, max_length=7)


class PreferencesBody(Request):
    """How somebody is told. Reminders wait for the `hours`, when given; `daily_at` is the hour of a daily digest."""

    pace: PaceWord = "instant"
    muted: list[Pattern] = Field(default_factory=list, max_length=100)
    hours: HoursBody | None = None
    zone: str = Field(default="UTC", min_length=1, max_length=64)
    daily_at: int = Field(default=8, ge=0, le=23)


class ChatAccountBody(Body):
    """A user of a chat who is a person here."""

    team: str
    user: str
    name: str = ""
    team_name: str = ""
    person: str
    linked_at: Moment
