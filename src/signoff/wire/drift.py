"""What was found beside what was signed off, and what was adopted."""

from __future__ import annotations

from pydantic import Field

from signoff.wire.body import Body, Moment, Request


class DriftBody(Body):
    """One finding: `version` is what was found (None: nothing), `signed_version` what signoff deployed (None: nothing).

    `seen_by` is alias or server. `sentence` says it in words, `hint` what helps, `note` what is done about it.
    """

    id: str
    environment: str
    model: str
    seen_by: str
    alias: str
    version: str | None = None
    digest: str | None = None
    signed_version: str | None = None
    signed_digest: str | None = None
    signed_kind: str | None = None
    run_id: str | None = None
    found_at: Moment
    note: str = ""
    sentence: str
    hint: str
    warning: str


class AdoptionBody(Body):
    """Who took in what ran before signoff came, and by when run `run_id` has to approve it."""

    by: str
    at: Moment
    why: str
    status: str
    run_id: str
    due_at: Moment
    is_approved: bool
    note: str = ""


class AdoptRequest(Request):
    """Takes in the version behind the environment's alias; everybody reads `why`."""

    why: str = Field(max_length=10_000)
