"""A draft pipeline on past runs: what is asked, and what it would have made of them."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from signoff.wire.body import Body, Moment, Request


class ReplayRequest(Request):
    """A pipeline file to try on the past runs of its model; `since` is a length of time such as 90d."""

    pipeline: str = Field(max_length=262_144)
    model: str | None = Field(default=None, max_length=200, description="Default: the one that the file names.")
    since: str | None = Field(default=None, max_length=20, description="Default: from the first run on.")
    folder_name: str | None = Field(default=None, max_length=200)


class VerdictBody(Body):
    """What became of one attempt, what the draft would have made of it, and why.

    `was` and `would` are ``approved`` (by policy, or because nobody is asked), ``blocked`` (by a check) or ``people``.
    """

    run_id: str
    attempt: int
    version: str
    at: Moment
    was: str
    would: str
    why: str


class QueueBody(Body):
    """What would have come to one rule of one gate of the draft.

    `most_at_once` is how many would have waited at the same time, had each waited as long as it did or as is usual.
    """

    step: str
    rule: str
    approvers: list[str]
    required_approvals: int
    sent: int
    most_a_day: int
    busiest_on: date | None = None
    most_at_once: int


class ReplayBody(Body):
    """What a draft would have made of a model's past attempts. `changes` are those of which it is something else."""

    model: str
    pipeline: str
    since: Moment | None = None
    attempts: int
    was: dict[str, int]
    would: dict[str, int]
    usual_wait_seconds: float | None = Field(
        default=None, description="How long people usually took; null where they never did."
    )
    queues: list[QueueBody] = []
    changes: list[VerdictBody] = []
