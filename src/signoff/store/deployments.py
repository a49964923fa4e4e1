"""What is deployed where. The partial unique index on `deploying` is the lock that makes deployments queue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, any_, bindparam, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import Text

from signoff.domain.audit import AuditEvent
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus
from signoff.domain.errors import NotFoundError
from signoff.domain.version import ModelVersion
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import deployments

# Built once: putting a statement together costs several times what sending it does.
_OF_KEY = select(deployments).where(deployments.c.key == bindparam("key"))
_ADD = upsert(deployments).on_conflict_do_nothing().returning(deployments.c.id)
_HERE = (deployments.c.environment == bindparam("here")) & (deployments.c.model == bindparam("of_model"))
_PLACE = (
    select(deployments)
    .where(_HERE, deployments.c.status == any_(bindparam("statuses", type_=ARRAY(Text))))
    .order_by(deployments.c.started_at)
)
_REPLACE = (
    update(deployments)
    .where(_HERE, deployments.c.status == bindparam("live"), deployments.c.id != bindparam("its_id"))
    .values(status=bindparam("became"), ended_at=bindparam("at"))
)
_SET_LIVE = (
    update(deployments)
    .where(deployments.c.id == bindparam("its_id"))
    .values(status=bindparam("live"), address=bindparam("its_address"), live_at=bindparam("at"))
)
_NEWEST = (
    select(deployments)
    .where(deployments.c.run_id == bindparam("its_run"))
    .order_by((deployments.c.status == DeploymentStatus.LIVE.value).desc(), deployments.c.started_at.desc())
    .limit(1)
)

_CAME_TO_NOTHING = (DeploymentStatus.FAILED.value, DeploymentStatus.UNHEALTHY.value)


def begin_deployment(
    tx: Transaction, deployment: Deployment, version: ModelVersion, key: str, *, audit: Sequence[AuditEvent]
) -> Deployment | None:
    """Take the (environment, model) for `deployment`; None when another one is deploying there.

    With a `key` that was used before, that deployment is taken up again; but one that failed or was of other bytes is
    left as it is, and a new one begun.
    """
    former = tx.execute(_OF_KEY, {"key": key}).one_or_none()
    if former is not None and (former.status in _CAME_TO_NOTHING or former.digest != deployment.digest):
        _release_key(tx, key)
    elif former is not None:
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
    if tx.scalar(_ADD, row) is None:
        return None
    add_events(tx, audit)
    return deployment


def set_live(
    tx: Transaction, deployment: Deployment, *, address: str | None, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """`deployment` is what is served now; what was live before is `replaced` (or `rolled_back`, by a rollback)."""
    became = DeploymentStatus.ROLLED_BACK if deployment.kind is DeploymentKind.ROLLBACK else DeploymentStatus.REPLACED
    mine = {"its_id": deployment.id, "live": DeploymentStatus.LIVE.value, "at": at}
    here = {"here": deployment.environment, "of_model": deployment.model}
    tx.execute(_REPLACE, {**mine, **here, "became": became.value})
    tx.execute(_SET_LIVE, {**mine, "its_address": address})
    add_events(tx, audit)


def set_restored(
    tx: Transaction, deployment: Deployment, *, address: str | None, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """`deployment` put back what is live, which is live on, and answers at `address`."""
    here = (deployments.c.environment == deployment.environment) & (deployments.c.model == deployment.model)
    mine = update(deployments).where(deployments.c.id == deployment.id)
    tx.execute(mine.values(status=DeploymentStatus.RESTORED.value, ended_at=at))
    live = update(deployments).where(here, deployments.c.status == DeploymentStatus.LIVE.value)
    tx.execute(live.values(address=address))
    add_events(tx, audit)


def set_failed(
    tx: Transaction,
    deployment: Deployment,
    *,
    note: str,
    at: datetime,
    audit: Sequence[AuditEvent],
    is_unhealthy: bool = False,
) -> None:
    """`deployment` did not come about, or failed its health check; it holds its place no longer."""
    became = DeploymentStatus.UNHEALTHY if is_unhealthy else DeploymentStatus.FAILED
    tx.execute(
        update(deployments)
        .where(deployments.c.id == deployment.id, deployments.c.status == DeploymentStatus.DEPLOYING.value)
        .values(status=became.value, note=note, ended_at=at)
    )
    add_events(tx, audit)


def _release_key(tx: Transaction, key: str) -> None:
    """Forget a former deployment's idempotency key, so that its step starts a new one."""
    tx.execute(
        update(deployments).where(deployments.c.key == key).values(key=deployments.c.key + "/" + deployments.c.id)
    )


def find_live(tx: Transaction, environment: str, model: str) -> Deployment | None:
    """What is live in (environment, model) according to our own rows."""
    return next(iter(list_place(tx, environment, model, DeploymentStatus.LIVE)), None)


def find_deploying(tx: Transaction, environment: str, model: str) -> Deployment | None:
    """What is being deployed to (environment, model) at this moment."""
    return next(iter(list_place(tx, environment, model, DeploymentStatus.DEPLOYING)), None)


def list_place(tx: Transaction, environment: str, model: str, *statuses: DeploymentStatus) -> list[Deployment]:
    """The deployments of `model` in `environment` with one of `statuses`, oldest first; one at most is live."""
    here = {"here": environment, "of_model": model, "statuses": [status.value for status in statuses]}
    return [_deployment(row) for row in tx.execute(_PLACE, here)]


def find_of_key(tx: Transaction, key: str) -> Deployment | None:
    """The deployment that was begun with this idempotency key and was not given up."""
    row = tx.execute(_OF_KEY, {"key": key}).one_or_none()
    return _deployment(row) if row is not None else None


def find_newest(tx: Transaction, run_id: str) -> Deployment | None:
    """The run's deployment that is live, else its newest."""
    row = tx.execute(_NEWEST, {"its_run": run_id}).one_or_none()
    return _deployment(row) if row is not None else None


def list_live(tx: Transaction) -> list[Deployment]:
    """All that is live, everywhere."""
    found = tx.execute(select(deployments).where(deployments.c.status == DeploymentStatus.LIVE.value))
    return [_deployment(row) for row in found]


def list_begun(tx: Transaction, environment: str, model: str, *, since: datetime) -> list[Deployment]:
    """The deployments of `model` to `environment` that were begun later than `since`, however they ended."""
    here = (deployments.c.environment == environment) & (deployments.c.model == model)
    found = tx.execute(select(deployments).where(here, deployments.c.started_at > since))
    return [_deployment(row) for row in found]


def list_deployments(
    tx: Transaction,
    *,
    environment: str | None = None,
    model: str | None = None,
    run_ids: Sequence[str] | None = None,
    statuses: Sequence[DeploymentStatus] = (),
    digest: str | None = None,
    hidden: Collection[str] = (),
    before: tuple[datetime, str] | None = None,
    limit: int = 200,
) -> list[Deployment]:
    """Deployments, newest first, without those of `hidden` models.

    `digest` is of the bytes; `before`: (started_at, id) of the last one seen.
    """
    query = select(deployments).order_by(deployments.c.started_at.desc(), deployments.c.id).limit(limit)
    if hidden:
        query = query.where(deployments.c.model.not_in(list(hidden)))
    if environment is not None:
        query = query.where(deployments.c.environment == environment)
    if model is not None:
        query = query.where(deployments.c.model == model)
    if run_ids is not None:
        query = query.where(deployments.c.run_id.in_(run_ids))
    if statuses:
        query = query.where(deployments.c.status.in_([s.value for s in statuses]))
    if digest is not None:
        query = query.where(deployments.c.digest == digest)
    if before is not None:
        at, its_id = before
        is_later = (deployments.c.started_at == at) & (deployments.c.id > its_id)
        query = query.where(deployments.c.started_at <= at, (deployments.c.started_at < at) | is_later)
    return [_deployment(row) for row in tx.execute(query)]


def list_former(tx: Transaction, models: Collection[str], *, limit: int = 30) -> dict[tuple[str, str], tuple[str, ...]]:
    """(Environment, model) -> the versions that were live there and are no more, newest first.

    Of each model the newest `limit` deployments that ended so are looked at.
    """
    names = func.unnest(literal(sorted(models), ARRAY(Text))).table_valued("name").alias("names")
    gone = [DeploymentStatus.REPLACED.value, DeploymentStatus.ROLLED_BACK.value]
    columns = (deployments.c.environment, deployments.c.model, deployments.c.version, deployments.c.started_at)
    mine = select(*columns).where(deployments.c.model == names.c.name, deployments.c.status.in_(gone))
    former = mine.order_by(deployments.c.started_at.desc()).limit(limit).lateral("former")
    query = select(former).select_from(names.join(former, true())).order_by(former.c.started_at.desc())
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in tx.execute(query):
        found.setdefault((row.environment, row.model), {})[row.version] = None
    return {place: tuple(versions) for place, versions in found.items()}


def list_newest(tx: Transaction, models: Collection[str], *, limit: int = 200) -> list[Deployment]:
    """The newest deployments of these models, `limit` of each, and whatever of them is live; newest first."""
    names = func.unnest(literal(sorted(models), ARRAY(Text))).table_valued("name").alias("names")
    mine = select(deployments).where(deployments.c.model == names.c.name)
    newest = mine.order_by(deployments.c.started_at.desc()).limit(limit).lateral("newest")
    live = select(deployments).where(
        deployments.c.model == any_(literal(sorted(models), ARRAY(Text))),
        deployments.c.status == DeploymentStatus.LIVE.value,
    )
    each = select(newest).select_from(names.join(newest, true()))
    found = {row.id: _deployment(row) for query in (each, live) for row in tx.execute(query)}
    return sorted(found.values(), key=lambda one: (one.started_at, one.id), reverse=True)


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
        raise unknown_deployment(deployment_id)
    return _deployment(row)


def unknown_deployment(deployment_id: str) -> NotFoundError:
    """What is said of a deployment that is not there, as far as the reader may know."""
    return NotFoundError(f"No deployment is called {deployment_id}.", "`signoff deployments` shows them.")
