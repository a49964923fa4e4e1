"""Runs, attempts, steps, and what a client sends to start or continue one."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from signoff.wire.body import Body, Moment, Request
from signoff.wire.drift import AdoptionBody
from signoff.wire.emergencies import EmergencyBody
from signoff.wire.evidence import EvidenceBody
from signoff.wire.gates import GateBody


class SubmitRequest(Request):
    """Starts a run. `pipeline` is the text of the file called `filename`; `snapshot` the digest of its packed folder.

    The folder was uploaded before.

    Either `model` (``models:/name/3``, ``models:/name@alias``, ``runs:/id/path``), or `upload` (the digest of a packed
    model folder, uploaded before), or neither: then the pipeline's training step makes the version.
    """

    pipeline: str = Field(max_length=262_144)
    filename: str = Field(default="signoff.yaml", max_length=200)
    folder_name: str | None = Field(default=None, max_length=200)
    snapshot: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    model: str | None = Field(default=None, max_length=1_000)
    upload: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    note: str = Field(default="", max_length=10_000)
    metrics: dict[str, Any] | None = None


class ResubmitRequest(Request):
    """The next version for a run that waits for one.

    `answers`: the number (or ``kind:subject``) of each reason that sent the former attempt back -> what was done.
    """

    model: str | None = Field(default=None, max_length=1_000)
    upload: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    note: str = Field(default="", max_length=10_000)
    metrics: dict[str, Any] | None = None
    answers: dict[str, str] | None = Field(default=None, max_length=100)


class CommentRequest(Request):
    """A remark about a run."""

    body: str = Field(min_length=1, max_length=20_000)


class SnapshotBody(Body):
    """A packed folder that the server keeps; `size` in bytes."""

    digest: str
    size: int


class StepBody(Body):
    """One step of one attempt."""

    name: str
    type: str
    status: str
    tries: int
    started_at: Moment | None = None
    ended_at: Moment | None = None
    error: str | None = None
    note: str = ""
    training_run_id: str | None = None
    evidence: EvidenceBody | None = None


class AskedBody(Body):
    """A typed reason that sent the attempt before back, and what this attempt answers to it."""

    id: str
    kind: str
    subject: str | None = None
    comment: str = ""
    by: str
    answer: str | None = None


class AttemptBody(Body):
    """One trip round the retrain loop."""

    number: int
    cause: str
    version: str | None = None
    digest: str | None = None
    contributors: list[str] = []
    note: str = ""
    asked: list[AskedBody] = []
    steps: list[StepBody] = []
    gates: list[GateBody] = []


class CommentBody(Body):
    """A remark."""

    id: str
    by: str
    body: str
    at: Moment


class RunSummary(Body):
    """A run as lists show it. `waits_for` is in words; `can_unblock` are the people who can move it.

    `kind` is release, reapproval or after_review; the latter two are about what run `parent_id` (if any) approved.
    `expires_at` is the deadline of the gate that waits. `valid_until`: until when what was approved stands;
    `has_expired_approval`: that has passed, and nobody has approved anew.
    """

    id: str
    model: str
    version: str | None = None
    status: str
    model_status: str
    pipeline: str
    step: str | None = None
    attempt: int
    max_attempts: int
    submitter: str
    note: str = ""
    waits_for: str | None = None
    can_unblock: list[str] = []
    kind: str = "release"
    parent_id: str | None = None
    expires_at: Moment | None = None
    valid_until: Moment | None = None
    has_expired_approval: bool = False
    created_at: Moment
    ended_at: Moment | None = None
    error: str | None = None
    url: str = ""


class RunBody(RunSummary):
    """A run with everything about it. `deployments` names the environments it is live in, with their addresses."""

    pipeline_digest: str
    pipeline_source: str = ""
    attempts: list[AttemptBody] = []
    comments: list[CommentBody] = []
    deployments: list[DeploymentBody] = []


class RevocationMark(Body):
    """Who took back what was approved of a version, when and why."""

    by: str
    at: Moment
    why: str


class DeploymentBody(Body):
    """One version put into one environment. `warning` is what everybody who sees it must know, in words.

    `drift` says that something else is found there, where this is what was signed off.
    """

    id: str
    environment: str
    model: str
    version: str
    digest: str
    status: str
    kind: str
    run_id: str
    by: str
    started_at: Moment
    live_at: Moment | None = None
    ended_at: Moment | None = None
    address: str | None = None
    note: str = ""
    emergency: EmergencyBody | None = None
    revocation: RevocationMark | None = None
    adoption: AdoptionBody | None = None
    warning: str = ""
    drift: str = ""


class RollbackRequest(Request):
    """Makes a version that was live before live again; `to` is a version, by default the one before."""

    why: str = Field(max_length=10_000)
    to: str | None = None


class ValidateRequest(Request):
    """A pipeline file to check against the people and environments of this server."""

    pipeline: str = Field(max_length=262_144)
    filename: str = Field(default="signoff.yaml", max_length=200)
    folder_name: str | None = None


RunBody.model_rebuild()
