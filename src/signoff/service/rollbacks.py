"""Rolling an environment back to a version that was live there before."""

from __future__ import annotations

import secrets

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus
from signoff.domain.errors import ConflictError, EnvironmentUnknownError, InvalidError, NotFoundError
from signoff.engine.jobs import wake_by_hand
from signoff.service.desk import Desk, happened
from signoff.store import deployments
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


def roll_back(desk: Desk, actor: Actor, environment: str, model: str, *, to: str | None, why: str) -> str:
    """Ask for the former version (or version `to`) to be made live again; returns the new deployment's id.

    Raises:
        NotFoundError: nothing is live there, or the version never was.
        ConflictError: it is live already, or another deployment is under way.
    """
    authorize(actor, Do.ROLL_BACK, Resource(model))
    if not why.strip():
        raise InvalidError("A rollback needs a reason.", "Say why with -m WHY.")
    at = desk.clock()
    with desk.database.begin() as tx:
        known = get_environments(tx)
        if environment not in known:
            raise EnvironmentUnknownError(
                f"There is no environment called {environment}.", f"There are {', '.join(sorted(known))}."
            )
        target = _target(tx, environment, model, to)
        version = deployments.get_version(tx, target.id)
        wanted = Deployment(
            id=secrets.token_hex(8),
            environment=environment,
            model=model,
            version=target.version,
            digest=target.digest,
            status=DeploymentStatus.DEPLOYING,
            kind=DeploymentKind.ROLLBACK,
            run_id=target.run_id,
            by=actor.name,
            started_at=at,
            note=why,
        )
        started = happened(
            Event.DEPLOYMENT_STARTED,
            actor,
            at,
            target.run_id,
            model,
            environment=environment,
            version=target.version,
            why=f"rollback: {why}",
        )
        if deployments.begin_deployment(tx, wanted, version, f"rollback/{wanted.id}", audit=[started]) is None:
            raise ConflictError(
                f"Another deployment of {model} to {environment} is under way.", "Try again when it has ended."
            )
        wake_by_hand(tx, wanted.id, environment, model)
    return wanted.id


def _target(tx: Transaction, environment: str, model: str, to: str | None) -> Deployment:
    """The deployment to go back to: the newest one that was live, of another version than the present one."""
    live = deployments.find_live(tx, environment, model)
    if live is None:
        raise NotFoundError(f"No version of {model} is live in {environment}.", "`signoff deployments` shows what is.")
    if to == live.version:
        raise ConflictError(f"{model} v{to} is what {environment} serves now.", "There is nothing to roll back.")
    before = [
        d
        for d in deployments.list_deployments(tx, environment=environment, model=model)
        if d.live_at is not None and d.id != live.id and d.version != live.version and (to is None or d.version == to)
    ]
    before.sort(key=lambda d: d.live_at or d.started_at)
    if to is not None and not before:
        raise NotFoundError(
            f"{model} v{to} was never live in {environment}.",
            "Roll back to a version that was signed off and deployed.",
        )
    # Without a version: the one before, not one that was itself rolled away from since it was last live.
    newest = {d.version: d for d in before}.values()
    standing = [d for d in newest if to is not None or d.status is DeploymentStatus.REPLACED]
    if not standing:
        raise NotFoundError(
            f"No version of {model} was live in {environment} before v{live.version}.",
            "Name one with --to, or submit a new one.",
        )
    return max(standing, key=lambda d: d.live_at or d.started_at)
