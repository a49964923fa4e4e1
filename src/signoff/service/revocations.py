"""Taking back what was approved: nothing is deployed on it any more, and what serves on it is said loudly."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.deployment_errors import AlreadyRevokedError, NothingLiveError, NothingToRevokeError
from signoff.domain.environment import Deployment, DeploymentStatus
from signoff.domain.errors import ModelNotFoundError, SignoffError
from signoff.domain.gate import GateStatus, Verdict
from signoff.domain.pipeline import ApprovalStep
from signoff.domain.revocation import Revocation
from signoff.domain.run import Run, RunStatus, StepStatus
from signoff.engine.jobs import wake_run
from signoff.service.desk import Desk, happened
from signoff.service.privacy import check_known
from signoff.service.rollbacks import begin_rollback, check_reason, known_environment
from signoff.store import codec, deployments, gates, revocations, runs, versions
from signoff.store.database import Transaction

_MOVING = (RunStatus.RUNNING.value, RunStatus.WAITING.value)
_MOST = 1000
_LOOK_BACK = 200
"""How many of the runs that succeeded are asked to tell the registry."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What a revocation did: where the version still serves, and the rollbacks that were begun or could not be."""

    revocation: Revocation
    live_in: tuple[str, ...]
    reopened: tuple[str, ...]
    rollbacks: tuple[Deployment, ...] = ()
    not_rolled_back: tuple[tuple[str, str], ...] = ()


def revoke_live(
    desk: Desk, actor: Actor, environment: str, model: str, *, why: str, roll_back: bool = False
) -> Revoked:
    """Take back what was approved of the version that is live in `environment`.

    Raises:
        NothingLiveError: nothing is.
        SignoffError: as `revoke_version`.
    """
    authorize(actor, Do.REVOKE, Resource(model))
    with desk.database.begin() as tx:
        check_known(tx, model)
        known_environment(tx, environment)
        live = deployments.find_live(tx, environment, model)
    if live is None:
        raise NothingLiveError(
            f"No version of {model} is live in {environment}.", f"Name the version: `signoff revoke {model} VERSION`."
        )
    return revoke_version(desk, actor, model, live.version, why=why, roll_back=roll_back)


def revoke_version(desk: Desk, actor: Actor, model: str, version: str, *, why: str, roll_back: bool = False) -> Revoked:
    """Take back every approval of `version` so far; with `roll_back` it also leaves the environments it serves in.

    The revocation holds even where a rollback cannot begin: the answer says why.

    Raises:
        ModelNotFoundError: no run was ever about it.
        NothingToRevokeError, AlreadyRevokedError: no approval of it stands.
    """
    authorize(actor, Do.REVOKE, Resource(model))
    if roll_back:
        authorize(actor, Do.ROLL_BACK, Resource(model))
    at = desk.clock()
    with desk.database.begin() as tx:
        check_known(tx, model)
        check_reason(why, "A revocation")
        revocation = _made(tx, actor, model, version, why, at)
        live = deployments.list_deployments(tx, model=model, statuses=[DeploymentStatus.LIVE])
        live_in = tuple(sorted(d.environment for d in live if d.version == version))
        revoked = happened(
            Event.APPROVAL_REVOKED, actor, at, None, model, version=version, why=why, live_in=list(live_in)
        )
        revocations.add_revocation(tx, revocation, audit=[revoked])
        reopened = _reopen(tx, actor, revocation, at)
        begun, not_begun = [], []
        for environment in live_in if roll_back else ():
            try:
                begun.append(begin_rollback(tx, actor, environment, model, to=None, why=f"revoked: {why}", at=at))
            except SignoffError as error:
                not_begun.append((environment, str(error)))
    return Revoked(revocation, live_in, reopened, tuple(begun), tuple(not_begun))


def _made(tx: Transaction, actor: Actor, model: str, version: str, why: str, at: datetime) -> Revocation:
    found = versions.list_version_runs(tx, model, version, limit=1)
    if not found:
        raise ModelNotFoundError(f"No run was ever about {model} v{version}.", f"`signoff models {model}` lists them.")
    former = revocations.list_in_force(tx, [model]).get((model, version))
    if former is not None:
        raise AlreadyRevokedError(
            f"{model} v{version} was revoked by {former.by} already: {former.why}.",
            f"`signoff deployments --model {model}` shows where it is live.",
        )
    if not revocations.is_approved(tx, model, version):
        raise NothingToRevokeError(
            f"Nobody's approval of {model} v{version} stands, so that there is nothing to take back.",
            "`signoff reject RUN` says no to a version that waits.",
        )
    digest = codec.VERSION.validate_python(found[0].version).digest
    # The clock of whoever closed a gate may be ahead of this one: what was approved before is taken back all the same.
    at = max(at, revocations.newest_approval(tx, model, version) or at)
    return Revocation(secrets.token_hex(8), model, version, digest, actor.name, at, why)


def _reopen(tx: Transaction, actor: Actor, revocation: Revocation, at: datetime) -> tuple[str, ...]:
    """Runs about the version that wait for people begin their gates anew; returns their ids.

    A run that is moving asks by itself before it deploys; one that has ended only tells the registry.
    """
    reopened = []
    moving = runs.list_runs(tx, statuses=_MOVING, model=revocation.model, limit=_MOST)
    ended = runs.list_runs(tx, statuses=[RunStatus.SUCCEEDED.value], model=revocation.model, limit=_LOOK_BACK)
    for found in (*moving, *ended):
        about = found.attempt.version
        if about is None or about.version != revocation.version:
            continue
        run = runs.lock_run(tx, found.id) if found.status is RunStatus.WAITING else found
        if run.status is RunStatus.WAITING and _void(tx, actor, run, revocation, at):
            reopened.append(run.id)
        if run.status is not RunStatus.WAITING or run.id in reopened:
            wake_run(tx, run.id)
    return tuple(reopened)


def _void(tx: Transaction, actor: Actor, run: Run, revocation: Revocation, at: datetime) -> bool:
    """Void every gate of a waiting run, if anybody approved one; it then opens them again, one after another."""
    steps = [step.name for step in run.pipeline.steps if isinstance(step, ApprovalStep)]
    standing = [gate for gate in map(run.gate, steps) if gate is not None and gate.status in _STANDING]
    decided = gates.list_decisions(tx, [gate.id for gate in standing])
    if not any(d.verdict is Verdict.APPROVE and not d.is_withdrawn for given in decided.values() for d in given):
        return False
    run = runs.take_run(tx, run.id)
    for gate in standing:
        about = {"step": gate.step, "gate": gate.id, "digest": gate.digest, "note": revocation.words}
        voided = happened(Event.GATE_VOIDED, actor, at, run.id, run.model, **about)
        gates.set_gate(tx, gate, status=GateStatus.VOID, at=at, audit=[voided], note=revocation.words)
        reset = happened(Event.STEP_RESET, actor, at, run.id, run.model, step=gate.step, why=revocation.words)
        if run.attempt.step(gate.step).status in {StepStatus.WAITING, StepStatus.SUCCEEDED}:
            run = runs.set_step(
                tx, run, gate.step, status=StepStatus.PENDING, at=at, audit=[reset], note=revocation.words
            )
    runs.set_run(tx, run, status=RunStatus.RUNNING, at=at, audit=[])
    return True


_STANDING = frozenset({GateStatus.OPEN, GateStatus.APPROVED})
