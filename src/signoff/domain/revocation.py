"""Revoked approvals, and what may be gone back to: whether an approval or a deployment still stands.

A revocation voids every approval of one version given before it, wherever it was given. What serves is not touched by
it; what is deployed next asks here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from signoff.domain.deployment_errors import (
    AlreadyLiveError,
    LastDeploymentUnhealthyError,
    NeverLiveError,
    NoFormerVersionError,
    NotSignedOffError,
    RevokedError,
)
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus
from signoff.domain.errors import SignoffError
from signoff.domain.gate import Gate, GateStatus
from signoff.domain.pipeline import ApprovalStep
from signoff.domain.run import Run


@dataclass(frozen=True, slots=True)
class Revocation:
    """Somebody took back what was approved of one version, and why. Approvals up to `at` no longer count."""

    id: str
    model: str
    version: str
    digest: str
    by: str
    at: datetime
    why: str

    @property
    def words(self) -> str:
        """What a gate that opens again says."""
        return f"the approval was revoked by {self.by}: {self.why}"


def revoked_gate(run: Run, position: int, revocation: Revocation | None) -> tuple[Gate, str] | None:
    """The first approved gate before step number `position` that `revocation` takes back, and that in words."""
    if revocation is None:
        return None
    for step in run.pipeline.steps[:position]:
        gate = run.gate(step.name) if isinstance(step, ApprovalStep) else None
        if gate is not None and is_voided(gate, revocation):
            return gate, revocation.words
    return None


def is_voided(gate: Gate, revocation: Revocation) -> bool:
    """Whether `gate` was approved before `revocation`."""
    return gate.status is GateStatus.APPROVED and gate.closed_at is not None and gate.closed_at <= revocation.at


@dataclass(frozen=True, slots=True)
class History:
    """What was deployed of one model to one environment, and what bars its versions from coming back.

    `revoked` are the versions whose revocation is in force; `unreviewed` the after-reviews that have not approved:
    what was deployed in an emergency is not one to return to before somebody signed it off.
    """

    deployments: Sequence[Deployment]
    revoked: Mapping[str, Revocation]
    unreviewed: Collection[str] = ()


def live_of(history: History) -> Deployment | None:
    """What is live."""
    return next((d for d in history.deployments if d.status is DeploymentStatus.LIVE), None)


def former_of(history: History, live: Deployment) -> Deployment:
    """What to go back to from `live`: the version that was live before it by time, and may serve again.

    A version that came back by a rollback stands where it first was: going on from there leads further back, never
    forward to what was left behind. Skipped is what was itself rolled back, is revoked, failed its last health check,
    or was never signed off.

    Raises:
        NoFormerVersionError: nothing is left; the message says what was skipped and why.
    """
    since = _first_live(history, live)
    newest: dict[str, Deployment] = {}
    for one in sorted(_were_live(history), key=_when):
        if one.version != live.version and _when(one) < since:
            newest[one.version] = one
    skipped = []
    for one in sorted(newest.values(), key=_when, reverse=True):
        if _was_left(history, one):
            continue
        barred = bar(history, one)
        if barred is None:
            return one
        skipped.append(barred.what)
    raise NoFormerVersionError(
        f"No version of {live.model} that may serve again was live in {live.environment} before v{live.version}."
        if skipped
        else f"No version of {live.model} was live in {live.environment} before v{live.version}.",
        " ".join([*skipped, "Name one with --to, or submit a new one."]),
    )


def named_former(history: History, live: Deployment, version: str) -> Deployment:
    """The newest deployment of `version` that was live, when it may serve again.

    Raises:
        AlreadyLiveError, NeverLiveError: it is live, or never was.
        RevokedError, LastDeploymentUnhealthyError, NotSignedOffError: it may not serve.
    """
    if version == live.version:
        raise AlreadyLiveError(
            f"{live.model} v{version} is what {live.environment} serves now.", "There is nothing to roll back."
        )
    found = [one for one in _were_live(history) if one.version == version]
    if not found:
        raise NeverLiveError(
            f"{live.model} v{version} was never live in {live.environment}.",
            "Roll back to a version that was signed off and deployed.",
        )
    # One that was signed off goes before one that was deployed in an emergency.
    wanted = max(found, key=lambda one: (one.run_id not in history.unreviewed, _when(one)))
    barred = bar(history, wanted)
    if barred is not None:
        raise barred
    return wanted


def bar(history: History, wanted: Deployment) -> SignoffError | None:
    """Why `wanted` may not serve again; None when it may."""
    label = f"{wanted.model} v{wanted.version}"
    revocation = history.revoked.get(wanted.version)
    if revocation is not None:
        return RevokedError(
            f"{label} was revoked by {revocation.by}: {revocation.why}.",
            f"Roll back to another version, or have it approved anew: "
            f"`signoff submit models:/{wanted.model}/{wanted.version}`.",
        )
    mine = [one for one in history.deployments if one.version == wanted.version]
    last = max(mine, key=lambda one: one.started_at, default=wanted)
    if last.status is DeploymentStatus.UNHEALTHY:
        return LastDeploymentUnhealthyError(
            f"{label} failed its health check when it was last deployed to {wanted.environment}.",
            "Roll back to another version, or submit it again once it is mended.",
        )
    if wanted.run_id in history.unreviewed:
        return NotSignedOffError(
            f"{label} was deployed to {wanted.environment} in an emergency, and nobody has signed it off.",
            f"Roll back to another version, or have it approved: `signoff show {wanted.run_id}`.",
        )
    return None


def _were_live(history: History) -> list[Deployment]:
    return [one for one in history.deployments if one.live_at is not None]


def _when(one: Deployment) -> datetime:
    return one.live_at or one.started_at


def _first_live(history: History, live: Deployment) -> datetime:
    """When `live` went live the last time other than by a rollback."""
    if live.kind is not DeploymentKind.ROLLBACK:
        return _when(live)
    own = [
        _when(one)
        for one in _were_live(history)
        if one.version == live.version and one.kind is not DeploymentKind.ROLLBACK
    ]
    return max(own, default=_when(live))


def _was_left(history: History, one: Deployment) -> bool:
    """Whether the version was rolled away from when it was last live."""
    last = max((d for d in _were_live(history) if d.version == one.version), key=_when)
    return last.status is DeploymentStatus.ROLLED_BACK
