"""Gates, decisions and explanations."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from signoff.wire.body import Body, Moment, Request


class ReasonBody(Body):
    """Why, typed."""

    kind: str
    subject: str | None = None


class ReasonRequest(Request):
    """Why, typed; `kind` is metric, slice, data, fairness, documentation, security or other."""

    kind: str = Field(pattern=r"^(metric|slice|data|fairness|documentation|security|other)$")
    subject: str | None = Field(default=None, max_length=200)


class DecisionRequest(Request):
    """A verdict on exactly what `digest` names: the subject that the reviewer saw.

    `on_behalf_of` is for a delegate: the absent person whom they decide for, where it could be several.
    """

    verdict: str = Field(pattern=r"^(approve|request_changes|reject)$")
    digest: str = Field(max_length=100)
    comment: str = Field(default="", max_length=20_000)
    reasons: list[ReasonRequest] = Field(default=[], max_length=50)
    ticked: list[str] = Field(default=[], max_length=100)
    on_behalf_of: str | None = Field(default=None, max_length=200)


class DecisionBody(Body):
    """One person's verdict. `is_confirmed`: with a passkey, this very decision."""

    id: str
    by: str
    verdict: str
    digest: str
    comment: str = ""
    reasons: list[ReasonBody] = []
    ticked: list[str] = []
    saw: dict[str, Any] = {}
    at: Moment
    is_withdrawn: bool = False
    is_policy: bool = False
    is_confirmed: bool = False
    on_behalf_of: str | None = None


class RuleBody(Body):
    """How far one rule is."""

    name: str
    approvers: list[str]
    required_approvals: int
    counted: list[str] = []
    candidates: list[str] = []
    missing: int = 0
    is_environment: bool = False


class SubjectBody(Body):
    """Exactly what the gate approves."""

    model: str
    version: str
    manifest_digest: str
    evidence_digests: list[str]
    pipeline_digest: str
    environment: str | None = None
    attempt: int


class GateBody(Body):
    """A gate with its rules and every decision about it.

    While it waits: `expires_at` is its deadline, and `on_timeout` (expire or escalate, to `escalate_to`) what follows.
    Once it is approved: the approval stands until `valid_until`; `lapsed_at` says that it has expired since.
    """

    id: str
    run_id: str
    step: str
    attempt: int
    round: int
    status: str
    digest: str
    subject: SubjectBody
    rules: list[RuleBody] = []
    checklist: list[str] = []
    excluded: list[str] = []
    decisions: list[DecisionBody] = []
    opened_at: Moment
    closed_at: Moment | None = None
    note: str = ""
    on_timeout: str = "expire"
    escalate_to: list[str] = []
    expires_at: Moment | None = None
    escalated_at: Moment | None = None
    remind_at: Moment | None = None
    reminders: int = 0
    valid_until: Moment | None = None
    lapsed_at: Moment | None = None


class StandingBody(Body):
    """Whether one person can decide now, and why or why not.

    `is_own`: as themselves. `stands_in_for`: the absent people for whom they can.
    """

    person: str
    can_decide: bool
    why: str
    is_own: bool = True
    stands_in_for: list[str] = []


class ExplanationBody(Body):
    """What a gate waits for, in words."""

    step: str
    status: str
    sentence: str
    rules: list[str] = []
    people: list[StandingBody] = []
