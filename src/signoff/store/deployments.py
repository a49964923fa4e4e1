"""What is deployed where. The partial unique index on `deploying` is the lock that makes deployments queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus
from signoff.domain.errors import NotFoundError
from signoff.domain.version import ModelVersion
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import deployments


def begin_deployment(
    tx: Transaction, deployment: Deployment, version: ModelVersion, key: str, *, audit: Sequence[AuditEvent]
) -> Deployment | None:
    """Take the (environment, model) for `deployment`; None when another one is deploying there.

    With a `key` that was used before, that deployment is taken up again, whatever became of it.
    """
    former = tx.execute(select(deployments).where(deployments.c.key == key)).one_or_none()
    if former is not None:
        return _deployment(former)
    row = {
        "id": deployment.id,
        "key": key,
        "environment": deployment.environment,
        "model": deployment.model,
        "version": deployment.version,
        "digest": deployment.digest,
        "model_version": codec.plain(codec.VERSION, version),
        "status": DeploymentStatus.DEPLOYING.value,
        "kind": deployment.kind.value,
        "run_id": deployment.run_id,
        "by": deployment.by,
        "note": deployment.note,
        "started_at": deployment.started_at,
    }
    added = upsert(deployments).values(row).on_conflict_do_nothing().returning(deployments.c.id)
    if tx.scalar(added) is None:
        return None
    add_events(tx, audit)
    return deployment


def set_live(
    tx: Transaction, deployment: Deployment, *, address: str | None, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """`deployment` is what is served now; what was live before is `replaced` (or `rolled_back`, by a rollback)."""
    became = DeploymentStatus.ROLLED_BACK if deployment.kind is DeploymentKind.ROLLBACK else DeploymentStatus.REPLACED
    same = (deployments.c.environment == deployment.environment) & (deployments.c.model == deployment.model)
    tx.execute(
        update(deployments)
        .where(same, deployments.c.status == DeploymentStatus.LIVE.value, deployments.c.id != deployment.id)
        .values(status=became.value, ended_at=at)
    )
    tx.execute(
        update(deployments)
        .where(deployments.c.id == deployment.id)
        .values(status=DeploymentStatus.LIVE.value, address=address, live_at=at)
    )
    add_events(tx, audit)


def set_failed(
    tx: Transaction, deployment: Deployment, *, note: str, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """`deployment` did not come about; it holds its place no longer."""
    tx.execute(
        update(deployments)
        .where(deployments.c.id == deployment.id, deployments.c.status == DeploymentStatus.DEPLOYING.value)
        .values(status=DeploymentStatus.FAILED.value, note=note, ended_at=at)
    )
    add_events(tx, audit)


def release_key(tx: Transaction, key: str) -> None:
    """Forget a failed deployment's idempotency key, so that a retry of its step starts a new one."""
    tx.execute(
        update(deployments)
        .where(deployments.c.key == key, deployments.c.status == DeploymentStatus.FAILED.value)
        .values(key=deployments.c.key + "/" + deployments.c.id)
    )


def find_live(tx: Transaction, environment: str, model: str) -> Deployment | None:
    """What is live in (environment, model) according to our own rows."""
    return _one(tx, environment, model, DeploymentStatus.LIVE)


def find_deploying(tx: Transaction, environment: str, model: str) -> Deployment | None:
    """What is being deployed to (environment, model) at this moment."""
    return _one(tx, environment, model, DeploymentStatus.DEPLOYING)


def _one(tx: Transaction, environment: str, model: str, status: DeploymentStatus) -> Deployment | None:
    row = tx.execute(
        select(deployments).where(
            deployments.c.environment == environment,
            deployments.c.model == model,
            deployments.c.status == status.value,
        )
    ).one_or_none()
    return _deployment(row) if row is not None else None


def list_deployments(
    tx: Transaction,
    *,
    environment: str | None = None,
    model: str | None = None,
    run_ids: Sequence[str] | None = None,
    statuses: Sequence[DeploymentStatus] = (),
    limit: int = 200,
) -> list[Deployment]:
    """Deployments, newest first."""
    query = select(deployments).order_by(deployments.c.started_at.desc(), deployments.c.id).limit(limit)
    if environment is not None:
        query = query.where(deployments.c.environment == environment)
    if model is not None:
        query = query.where(deployments.c.model == model)
    if run_ids is not None:
        query = query.where(deployments.c.run_id.in_(run_ids))
    if statuses:
        query = query.where(deployments.c.status.in_([s.value for s in statuses]))
    return [_deployment(row) for row in tx.execute(query)]


def get_version(tx: Transaction, deployment_id: str) -> ModelVersion:
    """The model version that a deployment put in place."""
    document = tx.scalar(select(deployments.c.model_version).where(deployments.c.id == deployment_id))
    return codec.VERSION.validate_python(document)


def _deployment(row: Row[Any]) -> Deployment:
    return Deployment(
        id=row.id,
        environment=row.environment,
        model=row.model,
        version=row.version,
        digest=row.digest,
        status=DeploymentStatus(row.status),
        kind=DeploymentKind(row.kind),
        run_id=row.run_id,
        by=row.by,
        started_at=row.started_at,
        live_at=row.live_at,
        ended_at=row.ended_at,
        address=row.address,
        note=row.note,
    )


def get_deployment(tx: Transaction, deployment_id: str) -> Deployment:
    """The deployment called `deployment_id`; NotFoundError when there is none."""
    row = tx.execute(select(deployments).where(deployments.c.id == deployment_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"No deployment is called {deployment_id}.", "`signoff deployments` shows them.")
    return _deployment(row)
