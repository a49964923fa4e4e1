"""Rolling back: a version that was live before is made live again, by the same deployer, with the same care."""

from __future__ import annotations

from pathlib import Path

from signoff.domain.actor import SYSTEM
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.environment import Deployment, DeploymentStatus, Environment
from signoff.domain.errors import DigestMismatchError, MachineryError, SignoffError, UnavailableError
from signoff.domain.version import ModelVersion
from signoff.engine.deploying import wake_others
from signoff.engine.jobs import wake_rollback
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.mirror import mirror
from signoff.ports import Release
from signoff.store import deployments
from signoff.store.environments import get_environments


def roll_back(machinery: Machinery, deployment_id: str) -> None:
    """Carry out the rollback that the deployment row `deployment_id` asks for; repeating it is harmless.

    Raises:
        UnavailableError: the outside did not answer; the job is repeated, and at last the rollback fails.
    """
    with machinery.database.begin() as tx:
        wanted = deployments.get_deployment(tx, deployment_id)
        if wanted.status is not DeploymentStatus.DEPLOYING:
            return
        version = deployments.get_version(tx, deployment_id)
        environment = get_environments(tx).get(wanted.environment)
        live = deployments.find_live(tx, wanted.environment, wanted.model)
    if environment is None:
        gone = f"There is no environment called {wanted.environment} any more."
        _fail(machinery, wanted, MachineryError(gone, "An administrator can bring it back."))
        return
    copy = machinery.folder_of("rollbacks", deployment_id)
    for pause in (*machinery.retry_pauses, None):
        try:
            address = _serve(machinery, wanted, version, environment, copy)
            break
        except UnavailableError as error:
            if pause is None:
                _fail(machinery, wanted, error)
                return
            if machinery.stopping.wait(pause):
                with machinery.database.begin() as tx:  # another worker goes on with it
                    wake_rollback(tx, wanted.id, wanted.environment, wanted.model)
                return
        except SignoffError as error:
            _fail(machinery, wanted, error)
            return
        except Exception as error:  # noqa: BLE001 - a bug must not hold the environment's place for ever
            LOG.exception("a bug in signoff, or a surprise from a library", deployment=deployment_id)
            _fail(machinery, wanted, MachineryError(f"{type(error).__name__}: {error}", "This is a bug."))
            return
    at = machinery.clock()
    done = _event(Event.DEPLOYMENT_ROLLED_BACK, machinery, wanted, address=address, why=wanted.note)
    with machinery.database.begin() as tx:
        deployments.set_live(tx, wanted, address=address, at=at, audit=[done])
        wake_others(tx, wanted.model)
    machinery.clean("rollbacks", deployment_id)
    for run_id in {wanted.run_id, live.run_id if live is not None else wanted.run_id}:
        mirror(machinery, run_id)


def _serve(
    machinery: Machinery, wanted: Deployment, version: ModelVersion, environment: Environment, copy: Path
) -> str | None:
    """Make the bytes that were approved then, and no others, live; returns where they answer."""
    manifest = machinery.registry.fetch(version, copy)
    if manifest.digest != wanted.digest:
        raise DigestMismatchError(
            f"The bytes of {version.label} changed since they were approved: "
            f"{wanted.digest} then, {manifest.digest} now.",
            "Roll back to another version.",
        )
    approval = {"run": wanted.run_id, "rolled_back_by": wanted.by, "why": wanted.note}
    release = Release(f"rollback/{wanted.id}", environment, version, copy, approval)
    return machinery.deployer_of(environment).deploy(release)


def _fail(machinery: Machinery, wanted: Deployment, error: SignoffError) -> None:
    LOG.warning("rollback failed", deployment=wanted.id, error=str(error))
    failed = _event(Event.DEPLOYMENT_FAILED, machinery, wanted, why=str(error))
    with machinery.database.begin() as tx:
        deployments.set_failed(tx, wanted, note=str(error), at=machinery.clock(), audit=[failed])
        wake_others(tx, wanted.model)


def _event(kind: Event, machinery: Machinery, wanted: Deployment, **detail: str | None) -> AuditEvent:
    about = {"environment": wanted.environment, "version": wanted.version, "by": wanted.by, **detail}
    return AuditEvent(kind, SYSTEM.name, machinery.clock(), wanted.run_id, wanted.model, about)
