"""Emergencies: what is deployed without review, on whose word, and until when the review is owed."""

from __future__ import annotations

from pydantic import Field

from signoff.wire.body import Body, Moment, Request


class EmergencyBody(Body):
    """One emergency deployment. `due_at` is the moment by which the after-review `run_id` has to approve it."""

    id: str
    environment: str
    model: str
    version: str
    digest: str
    why: str
    status: str
    requested_by: str
    requested_at: Moment
    confirmed_by: list[str] = []
    former_id: str | None = None
    run_id: str | None = None
    deployment_id: str | None = None
    due_at: Moment | None = None
    ended_at: Moment | None = None
    note: str = ""


class EmergencyViewBody(EmergencyBody):
    """The same, with what its confirmations lack now: how many people, and who could be they."""

    missing: int | None = None
    candidates: list[str] = []
    sentence: str = ""


class BreakGlassRequest(Request):
    """Asks for `reference` (``models:/name/3``, ``models:/name@alias``) to be deployed without review.

    Or, with `confirm` (an emergency's id), gives one's word for it: `digest` is then what one has seen.
    """

    reference: str | None = Field(default=None, max_length=1_000)
    why: str = Field(default="", max_length=10_000)
    confirm: str | None = Field(default=None, max_length=100)
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
