"""Deployments outside a run's steps: a rollback, one in an emergency, or what was signed off put back.

The same deployer, with the same care: what is made live are the bytes that the row names, and no others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from signoff.domain.actor import SYSTEM
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.deployment_errors import RevokedError
from signoff.domain.emergency import check_confirmed, rule_of
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.errors import (
    DigestMismatchError,
    HandedBackError,
    MachineryError,
    SignoffError,
    UnavailableError,
    UnhealthyError,
)
from signoff.domain.version import ModelVersion
from signoff.engine import drift, emergencies
from signoff.engine.deploying import wake_others
from signoff.engine.jobs import wake_by_hand
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.mirror import mirror
from signoff.engine.releasing import WorkerLog
from signoff.ports import Release
from signoff.store import deployments, people, revocations
from signoff.store import emergencies as emergencies_stored
from signoff.store.database import Transaction
from signoff.store.deadlines import ask_lapsed_again
from signoff.store.environments import get_environments

BY_HAND = frozenset({DeploymentKind.ROLLBACK, DeploymentKind.BREAK_GLASS, DeploymentKind.RESTORE})
"""The kinds that this file carries out."""

_APPROVED = {
    DeploymentKind.ROLLBACK: "rolled_back_by",
    DeploymentKind.BREAK_GLASS: "deployed_without_review_by",
    DeploymentKind.RESTORE: "put_back_by",
}
"""What the model server says of whoever asked for it."""


def deploy_by_hand(machinery: Machinery, deployment_id: str) -> None:
    """Carry out what the deployment row `deployment_id` asks for; repeating it is harmless.

    Raises:
        UnavailableError: the outside did not answer; the job is repeated, and at last the deployment fails.
    """
    with machinery.database.begin() as tx:
        wanted = deployments.get_deployment(tx, deployment_id)
        if wanted.status is not DeploymentStatus.DEPLOYING:
            return
        version = deployments.get_version(tx, deployment_id)
        environment = get_environments(tx).get(wanted.environment)
        live = deployments.find_live(tx, wanted.environment, wanted.model)
        former = deployments.get_version(tx, live.id) if live is not None else None
    if environment is None:
        gone = f"There is no environment called {wanted.environment} any more."
        _fail(machinery, wanted, MachineryError(gone, "An administrator can bring it back."))
        return
    copy = machinery.folder_of("by-hand", deployment_id)
    try:
        address = _persist(machinery, lambda: _serve(machinery, wanted, version, environment, copy, former))
    except HandedBackError:
        with machinery.database.begin() as tx:  # another worker goes on with it
            wake_by_hand(tx, wanted.id, wanted.environment, wanted.model)
        return
    except SignoffError as error:
        _fail(machinery, wanted, error)
        return
    except Exception as error:  # noqa: BLE001 - a bug must not hold the environment's place for ever
        LOG.exception("a bug in signoff, or a surprise from a library", deployment=deployment_id)
        _fail(machinery, wanted, MachineryError(f"{type(error).__name__}: {error}", "This is a bug."))
        return
    _succeed(machinery, wanted, environment, address)
    machinery.clean("by-hand", deployment_id)
    for run_id in {wanted.run_id, live.run_id if live is not None else wanted.run_id}:
        mirror(machinery, run_id)


def _persist(machinery: Machinery, serve: Callable[[], str | None]) -> str | None:
    """What `serve` returns, asked again while the outside is away; HandedBackError when the worker has to stop."""
    for pause in machinery.retry_pauses:
        try:
            return serve()
        except UnavailableError as error:
            if machinery.stopping.wait(pause):
                raise HandedBackError("The worker was told to stop while it waited.") from error
    return serve()


def _serve(
    machinery: Machinery,
    wanted: Deployment,
    version: ModelVersion,
    environment: Environment,
    copy: Path,
    former: ModelVersion | None,
) -> str | None:
    """Make the bytes that were asked for, and no others, live; returns where they answer."""
    manifest = machinery.registry.fetch(version, copy)
    is_emergency = wanted.kind is DeploymentKind.BREAK_GLASS
    if manifest.digest != wanted.digest:
        since = "this was asked for" if is_emergency else "they were approved"
        raise DigestMismatchError(
            f"The bytes of {version.label} changed since {since}: {wanted.digest} then, {manifest.digest} now.",
            "Look what changed them; then ask anew." if is_emergency else "Roll back to another version.",
        )
    with machinery.database.begin() as tx:
        _check_still_asked(tx, wanted, environment)
    approval = {"run": wanted.run_id, _APPROVED[wanted.kind]: wanted.by, "why": wanted.note}
    log = WorkerLog(wanted.id)
    release = Release(
        f"{wanted.kind}/{wanted.id}",
        environment,
        version,
        copy,
        approval,
        run_id=wanted.run_id,
        kind=wanted.kind,
        former=former,
        log=log,
        should_stop=lambda: "stopped" if machinery.stopping.is_set() else None,
    )
    try:
        return machinery.deployer_of(environment).deploy(release)
    finally:
        log.finish()


def _check_still_asked(tx: Transaction, wanted: Deployment, environment: Environment) -> None:
    """Return when what was asked for still stands: between the asking and a worker's turn hours may lie.

    Raises:
        RevokedError: somebody took the version's approval back.
        NoBreakGlassError, UnconfirmedError: the words of those who confirmed the emergency no longer suffice.
    """
    place = get_environments(tx).get(environment.name, environment)
    revoked = revocations.list_in_force(tx, [wanted.model], place=place).get((wanted.model, wanted.version))
    if revoked is not None:
        raise RevokedError(
            f"{wanted.model} v{wanted.version} was revoked by {revoked.by} meanwhile: {revoked.why}.",
            "Name another version.",
        )
    emergency = emergencies_stored.find_of_deployment(tx, wanted.id)
    if emergency is not None:
        check_confirmed(emergency, rule_of(place), people.get_directory(tx))


def _succeed(machinery: Machinery, wanted: Deployment, environment: Environment, address: str | None) -> None:
    at = machinery.clock()
    is_rollback = wanted.kind is DeploymentKind.ROLLBACK
    kind = Event.DEPLOYMENT_ROLLED_BACK if is_rollback else Event.DEPLOYMENT_SUCCEEDED
    done = _event(kind, machinery, wanted, address=address, why=wanted.note)
    with machinery.database.begin() as tx:
        if wanted.kind is DeploymentKind.RESTORE:
            told = drift.set_restored(tx, wanted, at=at)
            deployments.set_restored(tx, wanted, address=address, at=at, audit=[told])
        else:
            deployments.set_live(tx, wanted, address=address, at=at, audit=[done])
        if is_rollback:
            ask_lapsed_again(tx, wanted.run_id, wanted.environment)
        elif wanted.kind is DeploymentKind.BREAK_GLASS:
            emergencies.set_broken(tx, wanted, environment, at=at)
        wake_others(tx, wanted.model)
    emergencies.look_at_all(machinery, wanted.environment, wanted.model)


def _fail(machinery: Machinery, wanted: Deployment, error: SignoffError) -> None:
    LOG.warning("a deployment by hand failed", deployment=wanted.id, kind=wanted.kind.value, error=str(error))
    at = machinery.clock()
    failed = _event(Event.DEPLOYMENT_FAILED, machinery, wanted, why=str(error), code=error.code)
    with machinery.database.begin() as tx:
        is_unhealthy = isinstance(error, UnhealthyError)
        deployments.set_failed(tx, wanted, note=str(error), at=at, audit=[failed], is_unhealthy=is_unhealthy)
        if wanted.kind is DeploymentKind.BREAK_GLASS:
            emergencies.set_not_broken(tx, wanted, str(error), at=at)
        wake_others(tx, wanted.model)
    emergencies.look_at_all(machinery, wanted.environment, wanted.model)


def _event(kind: Event, machinery: Machinery, wanted: Deployment, **detail: str | None) -> AuditEvent:
    about = {
        "environment": wanted.environment,
        "version": wanted.version,
        "kind": wanted.kind.value,
        "by": wanted.by,
        **detail,
    }
    return AuditEvent(kind, SYSTEM.name, machinery.clock(), wanted.run_id, wanted.model, about)
