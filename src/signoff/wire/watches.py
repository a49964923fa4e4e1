"""Registered pipelines: what a client sends to register one, and what came of the versions that it was told of."""

from __future__ import annotations

from pydantic import Field

from signoff.wire.body import Body, Moment, Request


class PipelineRequest(Request):
    """A pipeline file that says what starts it; `snapshot` is the digest of its packed folder, uploaded before.

    `since` is the first version that is to have a run. Without it that is the next one that is registered.
    """

    pipeline: str = Field(max_length=262_144)
    filename: str = Field(default="signoff.yaml", max_length=200)
    folder_name: str | None = Field(default=None, max_length=200)
    snapshot: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    since: int | None = Field(default=None, ge=1, le=2**53)


class StartBody(Body):
    """What came of a version: the run that it started, or why there is none.

    `named` are the users that the registry names with it, which nobody proves.
    """

    model: str
    version: int
    at: Moment
    run: str | None = None
    why_not: str | None = None
    named: list[str] = []


class PipelineBody(Body):
    """A registered pipeline. Each version of `watched` after `seen` starts a run about `model`, submitted by `owner`.

    `problem` says why versions wait that should have a run by now. `starts` are newest first; in a list only one.
    """

    name: str
    watched: str
    model: str
    owner: str
    digest: str
    made_by: list[str] = []
    seen: int
    added_at: Moment
    looked_at: Moment | None = None
    problem: str | None = None
    problem_at: Moment | None = None
    starts: list[StartBody] = []


class HookBody(Body):
    """What a webhook came to: the pipeline that looks for new versions now, if there is one."""

    pipeline: str | None = None
