"""Environments: where models are deployed, what the administrator demands there, and what is deployed.

An environment's rules hold whatever a pipeline says; everything deployed is keyed by (environment, model).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Literal

from signoff.domain.deployer import CommandSpec, WebhookSpec
from signoff.domain.pipeline import RuleSpec


@dataclass(frozen=True, slots=True)
class DeployerSpec:
    """How an environment serves: by an alias alone, by the model server, or by what the team has.

    Whatever else it does, each moves its alias. `command` or `webhook` is there where that is the type.
    """

    type: Literal["alias", "server", "command", "webhook"] = "alias"
    alias: str = "champion"
    health_timeout: timedelta = timedelta(seconds=60)
    command: CommandSpec | None = None
    webhook: WebhookSpec | None = None


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an environment demands of the evidence. `came_from`: the same bytes were deployed there first."""

    measured: bool = False
    checks_passed: bool = False
    came_from: str | None = None


@dataclass(frozen=True, slots=True)
class Freeze:
    """From when until when (the end excluded) nothing is deployed, and why."""

    since: datetime
    until: datetime
    reason: str

    @property
    def end(self) -> str:
        """When it is over, in words: a window that ends at midnight ends with a day."""
        if self.until.time() == time(0):
            return f"the end of {(self.until - timedelta(days=1)).date()} UTC"
        return f"{self.until:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Who may deploy without review in an emergency, how long the review may come after, and what if it does not."""

    approvers: tuple[str, ...]
    required_approvals: int = 2
    expires: timedelta = timedelta(hours=24)
    on_expiry: Literal["escalate", "return_to_former"] = "escalate"


@dataclass(frozen=True, slots=True)
class Environment:
    """A place that models are deployed to, with its protection rules.

    `step_up`: an approval for it counts only when its person confirmed that very decision with a passkey.
    `chat_approval`: an approval for it may be given in a chat by a person whose account there is linked.
    `self_heal`: where something else is found than what was signed off, that is put back.
    """

    name: str
    deployer: DeployerSpec = field(default_factory=DeployerSpec)
    rules: tuple[RuleSpec, ...] = ()
    require: Requirements = field(default_factory=Requirements)
    max_age: timedelta | None = None
    accept_claimed: bool = False
    promote_to: str | None = None
    freeze: tuple[Freeze, ...] = ()
    break_glass: BreakGlass | None = None
    step_up: Literal["passkey"] | None = None
    chat_approval: bool = False
    self_heal: bool = False

    @property
    def is_protected(self) -> bool:
        """Whether a deployment here needs people or measured evidence."""
        return bool(self.rules) or self.require != Requirements()

    def freeze_at(self, moment: datetime) -> Freeze | None:
        """The window that holds at `moment`, the one that ends last where several do; None when nothing is frozen."""
        holding = [window for window in self.freeze if window.since <= moment < window.until]
        return max(holding, key=lambda window: window.until, default=None)

    def frozen(self, moment: datetime) -> str:
        """That deployments wait at `moment`, until when and why; empty when they do not."""
        window = self.freeze_at(moment)
        return f"{self.name} is frozen until {window.end}, {window.reason}" if window is not None else ""


LOCAL = Environment("local", DeployerSpec(type="server", alias="champion"), accept_claimed=True)
"""Always exists; an administrator may redefine it."""


class DeploymentStatus(StrEnum):
    """Where one deployment stands. One per (environment, model) is `live`.

    `failed`: it could not be carried out. `unhealthy`: it could, and failed its health check. `restored`: it put back
    what another deployment made live, which is live on.
    """

    DEPLOYING = "deploying"
    LIVE = "live"
    REPLACED = "replaced"
    FAILED = "failed"
    UNHEALTHY = "unhealthy"
    ROLLED_BACK = "rolled_back"
    RESTORED = "restored"


class DeploymentKind(StrEnum):
    """Why a version was deployed.

    `restore`: what was signed off is put back where something else was found. `adopted`: it was there before signoff.
    """

    RUN = "run"
    ROLLBACK = "rollback"
    BREAK_GLASS = "break_glass"
    RESTORE = "restore"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One version put into one environment, by whom and when. `address` is where it answers, when it serves."""

    id: str
    environment: str
    model: str
    version: str
    digest: str
    status: DeploymentStatus
    kind: DeploymentKind
    run_id: str
    by: str
    started_at: datetime
    live_at: datetime | None = None
    ended_at: datetime | None = None
    address: str | None = None
    note: str = ""
