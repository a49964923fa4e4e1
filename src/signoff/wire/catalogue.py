"""Models, environments, the inbox, the audit log and who one is."""

from __future__ import annotations

from typing import Any

from signoff.wire.body import Body, Moment
from signoff.wire.runs import DeploymentBody, RunSummary


class VersionBody(Body):
    """One version of a model as signoff knows it: the newest run about it, and where it is live.

    `has_expired_approval`: what was approved once stands no longer, and nobody has approved anew.
    """

    model: str
    version: str
    digest: str | None = None
    model_status: str
    run_id: str
    submitter: str
    live_in: list[str] = []
    created_at: Moment
    has_expired_approval: bool = False


class ModelBody(Body):
    """A model: its newest version's status and what is live where."""

    name: str
    versions: list[VersionBody] = []
    deployments: list[DeploymentBody] = []


class EnvironmentBody(Body):
    """An environment with its protection rules. `frozen` says until when nothing is deployed there now, and why."""

    name: str
    deployer: dict[str, Any]
    rules: list[dict[str, Any]] = []
    require: dict[str, Any] = {}
    max_age_seconds: float | None = None
    accept_claimed: bool = False
    promote_to: str | None = None
    freeze: list[dict[str, Any]] = []
    frozen: str | None = None
    break_glass: dict[str, Any] | None = None
    step_up: str | None = None
    chat_approval: bool = False
    self_heal: bool = False
    live: list[DeploymentBody] = []


class InboxItem(Body):
    """A gate that waits; `rule` is the one that counts the reader, `can_decide` whether they can act now."""

    run: RunSummary
    step: str
    digest: str
    waits_since: Moment
    sentence: str
    can_decide: bool
    why: str
    blocks: str | None = None


class AuditBody(Body):
    """One audit event."""

    index: int
    type: str
    actor: str
    at: Moment
    run_id: str | None = None
    model: str | None = None
    detail: dict[str, Any] = {}


class MeBody(Body):
    """Who the caller is to this server, and as what: a session with the methods it was opened by, a token's scopes."""

    name: str
    roles: list[str]
    groups: list[str] = []
    models: list[str] = []
    credential: str
    credential_id: str | None = None
    methods: list[str] = []
    scopes: list[str] = []
    expires_at: Moment | None = None
    server: str
    version: str
