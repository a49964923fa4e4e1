"""Reads about models, environments and deployments, and the logs of steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signoff.domain.access import Do, Resource, authorize, unknown_model
from signoff.domain.actor import Actor, Person
from signoff.domain.environment import Deployment, DeploymentStatus, Environment
from signoff.domain.errors import EnvironmentUnknownError, ModelNotFoundError, NotFoundError
from signoff.domain.pipeline import ApprovalStep, Pipeline
from signoff.domain.run import ENDED, Run
from signoff.domain.status import ModelStatus, model_status
from signoff.service.deployed import deployed
from signoff.service.desk import Desk
from signoff.service.privacy import check_known, find_run_id, hidden_models
from signoff.spec import Known, Problem, read_pipeline
from signoff.store import codec, deployments, logs, people, revocations, runs, versions
from signoff.store.database import Transaction
from signoff.store.environments import get_environments
from signoff.store.targets import notifiable
from signoff.store.versions import list_newest_runs

_MOST_LIVE = 1000


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of a model: the newest run about it, and where it is live."""

    model: str
    version: str
    digest: str
    model_status: ModelStatus
    run_id: str
    submitter: str
    live_in: tuple[str, ...]
    created_at: datetime
    has_expired_approval: bool


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model with its versions, newest first, and what is live where."""

    name: str
    versions: tuple[VersionLine, ...]
    deployments: tuple[Deployment, ...]


@dataclass(frozen=True, slots=True)
class LogPart:
    """A stretch of a step's log; `size` is of the whole log so far, in bytes."""

    data: bytes
    size: int
    is_complete: bool


def list_models(desk: Desk, actor: Actor, *, after: str | None = None, limit: int = 50) -> list[ModelView]:
    """Every model, by name, with its newest versions."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        names = versions.list_models(tx, after=after, hidden=hidden_models(tx, actor), limit=limit)
        return _models(tx, names, versions=5)


def has_models(desk: Desk, actor: Actor) -> bool:
    """Whether a run was ever about a model that the actor may know of."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return bool(versions.list_models(tx, hidden=hidden_models(tx, actor), limit=1))


def get_model(desk: Desk, actor: Actor, name: str) -> ModelView:
    """One model with its versions; ModelNotFoundError when no run was ever about it."""
    authorize(actor, Do.READ, Resource(name))
    with desk.database.read() as tx:
        found = _models(tx, [name], versions=100)[0]
    if not found.versions and not found.deployments:
        raise unknown_model(name)
    return found


def get_version(desk: Desk, actor: Actor, name: str, version: str) -> VersionLine:
    """One version of a model; ModelNotFoundError when no run was ever about it."""
    authorize(actor, Do.READ, Resource(name))
    with desk.database.read() as tx:
        check_known(tx, name)
        rows = versions.list_version_runs(tx, name, version, limit=1)
        history = deployments.list_newest(tx, [name])
        found = _lines(tx, rows, history)
    if not found:
        raise ModelNotFoundError(f"No run was ever about {name} v{version}.", f"`signoff models {name}` lists them.")
    return found[0]


def _models(tx: Transaction, names: Sequence[str], *, versions: int) -> list[ModelView]:
    """These models, each with so many of its newest versions, by a fixed number of queries."""
    history = deployments.list_newest(tx, names, limit=2 * versions)
    live = deployed(tx, [one for one in history if one.status is DeploymentStatus.LIVE])
    rows: list[Any] = []
    for found in list_newest_runs(tx, names, limit=versions * 3).values():
        newest: dict[str, Any] = {}
        for row in found:
            newest.setdefault(row.version["version"], row)
        rows += list(newest.values())[:versions]
    lines = _lines(tx, rows, history)
    return [
        ModelView(
            name,
            tuple(line for line in lines if line.model == name),
            tuple(one for one in live if one.model == name),
        )
        for name in names
    ]


def _lines(tx: Transaction, rows: Sequence[Any], history: Sequence[Deployment]) -> list[VersionLine]:
    """A line for each row, which is the newest attempt about a version; `history` are its model's deployments."""
    revoked = revocations.list_in_force(tx, [row.model for row in rows])
    ids = [row.run_id for row in rows]
    about = {run.id: run for run in runs.list_runs(tx, run_ids=ids, limit=len(ids))} if ids else {}
    found = []
    for row in rows:
        known = codec.VERSION.validate_python(row.version)
        mine = [one for one in history if (one.model, one.version) == (row.model, known.version)]
        run = about[row.run_id]
        found.append(
            VersionLine(
                model=row.model,
                version=known.version,
                digest=known.digest,
                model_status=_status(run, row.number, mine)
                if (row.model, known.version) not in revoked
                else ModelStatus.REVOKED,
                run_id=row.run_id,
                submitter=row.submitter,
                live_in=tuple(sorted(one.environment for one in mine if one.status is DeploymentStatus.LIVE)),
                created_at=row.started_at,
                has_expired_approval=any(gate.has_lapsed for gate in run.gates),
            )
        )
    return found


def _status(run: Run, attempt: int, deployed: list[Deployment]) -> ModelStatus:
    """The word for the version of attempt number `attempt`; one that a later attempt followed was sent back."""
    if attempt < run.attempt.number:
        return ModelStatus.REJECTED
    live = next((d.status for d in deployed if d.status is DeploymentStatus.LIVE), None)
    return model_status(run, live or (deployed[0].status if deployed else None))


def list_environments(
    desk: Desk, actor: Actor, *, model: str | None = None
) -> list[tuple[Environment, list[Deployment]]]:
    """Every environment with what is live in it, of one model where it is named; of very many the newest."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        hidden = hidden_models(tx, actor)
        found = deployments.list_deployments(
            tx, model=model, statuses=[DeploymentStatus.LIVE], hidden=hidden, limit=_MOST_LIVE
        )
        live = deployed(tx, found)
        known = get_environments(tx)
    return [(known[name], [d for d in live if d.environment == name]) for name in sorted(known)]


def get_environment(desk: Desk, actor: Actor, name: str) -> tuple[Environment, list[Deployment]]:
    """One environment with what is live in it; EnvironmentUnknownError when there is none."""
    for environment, live in list_environments(desk, actor):
        if environment.name == name:
            return environment, live
    raise EnvironmentUnknownError(f"There is no environment called {name}.", "`signoff environment list` shows them.")


def list_deployments(
    desk: Desk,
    actor: Actor,
    *,
    environment: str | None = None,
    model: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[Deployment]:
    """Deployments, newest first; `before` is (started_at, id) of the last one seen."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        hidden = hidden_models(tx, actor)
        found = deployments.list_deployments(
            tx, environment=environment, model=model, hidden=hidden, before=before, limit=limit
        )
        return [*deployed(tx, found)]


def list_former(desk: Desk, actor: Actor, models: Collection[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(Environment, model) -> the versions of these models that could come back there: other ones that were live."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return deployments.list_former(tx, models) if models else {}


def get_deployment(desk: Desk, actor: Actor, deployment_id: str) -> Deployment:
    """One deployment."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        found = deployments.get_deployment(tx, deployment_id)
        if not actor.sees(found.model):
            raise deployments.unknown_deployment(deployment_id)
        return deployed(tx, [found])[0]


def validate_pipeline(
    desk: Desk, actor: Actor, text: str, *, filename: str, folder_name: str | None
) -> tuple[Problem, ...]:
    """Every problem of a pipeline file, judged with the people and environments of this server."""
    authorize(actor, Do.VALIDATE)
    with desk.database.read() as tx:
        known = Known(people.get_directory(tx), get_environments(tx), actor.name, targets=notifiable(tx))
    return read_pipeline(text, filename=filename, folder_name=folder_name, context=known).problems


@dataclass(frozen=True, slots=True)
class Tried:
    """A pipeline file that was tried: its problems, what it says if it is sound, and who could approve today.

    `eligible` maps ``step/rule`` to the people who could give that approval, were the reader to submit.
    """

    problems: tuple[Problem, ...]
    pipeline: Pipeline | None
    eligible: dict[str, tuple[str, ...]]


def try_pipeline(desk: Desk, actor: Actor, text: str, *, filename: str) -> Tried:
    """The same as `validate_pipeline`, with what the file says and who could approve by it today."""
    authorize(actor, Do.VALIDATE)
    with desk.database.read() as tx:
        directory = people.get_directory(tx)
        known = Known(directory, get_environments(tx), actor.name, targets=notifiable(tx))
    found = read_pipeline(text, filename=filename, folder_name=None, context=known)
    eligible: dict[str, tuple[str, ...]] = {}
    if found.pipeline is not None:
        own = directory.accounts_of(actor.name)
        for step in found.pipeline.steps:
            if isinstance(step, ApprovalStep):
                left_out = frozenset() if step.allow_self_approval else own
                for rule in step.rules:
                    able = directory.eligible(rule.approvers, found.pipeline.model or "") - left_out
                    eligible[f"{step.name}/{rule.name}"] = tuple(sorted(able))
    return Tried(found.problems, found.pipeline, eligible)


def read_log(
    desk: Desk, actor: Actor, run_id: str, step: str, *, attempt: int | None, offset: int, limit: int
) -> LogPart:
    """A stretch of the log of `step` from byte `offset` on, live while it runs.

    Raises:
        NotFoundError: no such step, attempt, or the step never ran a command.
    """
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        number = attempt or run.attempt.number
        row = runs.get_step_row(tx, run.id, number, step)
        if row is None:
            names = ", ".join(s.name for s in run.pipeline.steps)
            raise NotFoundError(f"Run {run.id} has no step {step!r} in attempt {number}.", f"Its steps are {names}.")
        if row.log_digest is None:
            data = logs.read_chunks(tx, run.id, number, step, offset=offset, limit=limit)
            size = logs.log_size(tx, run.id, number, step)
            is_over = row.status not in {"pending", "running"} or run.status in ENDED
            return LogPart(data, size, is_over and offset + len(data) >= size)
        digest = row.log_digest
    with desk.blobs.open(digest) as blob:
        size = blob.seek(0, 2)
        blob.seek(min(offset, size))
        data = blob.read(limit)
    return LogPart(data, size, is_complete=offset + len(data) >= size)


def list_logged(desk: Desk, actor: Actor, run_id: str) -> frozenset[str]:
    """The names of the steps that have written a log: those that ran a command, and deployments that wrote one."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        return logs.list_logged(tx, run.id)


def who_am_i(desk: Desk, actor: Actor) -> Person | None:
    """The person behind the request, as the server knows them."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return people.get_directory(tx).people.get(actor.name)
