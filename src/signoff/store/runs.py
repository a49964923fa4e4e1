"""Runs, their attempts and steps: loading one whole, and the fenced writes that move it on.

Every write names its audit events. A worker's write names its epoch: when the run was taken over since, zero rows
match and `FencedError` is raised, so that a stalled worker that wakes up changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, tuple_, update

from signoff.domain.audit import AuditEvent
from signoff.domain.errors import FencedError, NotFoundError
from signoff.domain.pipeline import Pipeline
from signoff.domain.run import Attempt, Cause, Run, RunKind, RunStatus, StepRun, StepStatus
from signoff.domain.version import ModelVersion
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.gates import list_gates
from signoff.store.run_ids import find_run_id
from signoff.store.steps import list_steps, list_steps_of, replace_step
from signoff.store.tables import attempts, pipelines, runs, steps

# Built once: putting a statement together costs several times what sending it does.
_RUN = select(runs).where(runs.c.id == bindparam("run_id"))
_RUN_LOCKED = _RUN.with_for_update()
_EPOCH = select(runs.c.epoch).where(runs.c.id == bindparam("run_id"))
_DOCUMENT = select(pipelines.c.document).where(pipelines.c.digest == bindparam("digest"))
_ATTEMPT = select(attempts).where(attempts.c.run_id == bindparam("run_id"), attempts.c.number == bindparam("number"))


def add_run(tx: Transaction, run: Run, *, at: datetime, audit: Sequence[AuditEvent]) -> None:
    """Write a new run with its first attempt."""
    tx.execute(
        insert(runs).values(
            id=run.id,
            model=run.model,
            pipeline_digest=run.pipeline.digest,
            snapshot_digest=run.snapshot_digest,
            status=run.status.value,
            submitter=run.submitter,
            note=run.note,
            attempt=run.attempt.number,
            version=run.attempt.version.version if run.attempt.version else None,
            step=run.pipeline.steps[0].name,
            kind=run.kind.value,
            parent_id=run.parent_id,
            created_at=at,
            updated_at=at,
        )
    )
    _add_attempt(tx, run, at=at)
    add_events(tx, audit)


def add_attempt(tx: Transaction, run: Run, *, status: RunStatus, at: datetime, audit: Sequence[AuditEvent]) -> None:
    """Write `run.attempt` as the run's next one and set the run's status (fenced by its epoch)."""
    set_run(tx, run, status=status, at=at, audit=audit, attempt=run.attempt.number, version=run.attempt.version)
    _add_attempt(tx, run, at=at)


def _add_attempt(tx: Transaction, run: Run, *, at: datetime) -> None:
    attempt = run.attempt
    tx.execute(
        insert(attempts).values(
            run_id=run.id,
            number=attempt.number,
            cause=attempt.cause.value,
            version=codec.plain(codec.VERSION, attempt.version) if attempt.version else None,
            contributors=list(attempt.contributors),
            note=attempt.note,
            asked=codec.plain(codec.ASKED, attempt.asked),
            answers=dict(attempt.answers),
            started_at=at,
        )
    )
    tx.execute(
        insert(steps),
        [
            {
                "run_id": run.id,
                "attempt": attempt.number,
                "name": step.name,
                "position": run.pipeline.position(step.name),
                "type": run.pipeline.step(step.name).type,
                "status": step.status.value,
                "note": step.note,
                "ended_at": step.ended_at,
                "evidence_digest": step.evidence_digest,
            }
            for step in attempt.steps
        ],
    )


_TAKE = update(runs).where(runs.c.id == bindparam("run_id")).values(epoch=runs.c.epoch + 1).returning(runs)


def take_run(tx: Transaction, run_id: str) -> Run:
    """Take the run over: everybody who took it before can write no more. Returns it with its new epoch."""
    row = tx.execute(_TAKE, {"run_id": run_id}).one_or_none()
    if row is None:
        raise NotFoundError(f"No run is called {run_id}.")
    return _run(tx, row, row.attempt)


def get_run(tx: Transaction, run_id: str, *, attempt: int | None = None) -> Run:
    """The run with its present attempt (or attempt number `attempt`), steps and gates.

    Raises:
        NotFoundError: no such run or attempt.
    """
    row = tx.execute(_RUN, {"run_id": run_id}).one_or_none()
    if row is None:
        raise NotFoundError(f"No run is called {run_id}.", "`signoff list` shows the runs there are.")
    return _run(tx, row, attempt or row.attempt)


def find_epoch(tx: Transaction, run_id: str) -> int | None:
    """How often the run was taken over; None when there is no such run. Cheap enough to ask every second."""
    return tx.scalar(_EPOCH, {"run_id": run_id})


def lock_run(tx: Transaction, run_id: str) -> Run:
    """The run that `run_id` (an id, a unique prefix, or ``last``) names, held against everybody else until the end.

    Raises:
        NotFoundError, AmbiguousError: as `find_run_id`.
    """
    row = tx.execute(_RUN_LOCKED, {"run_id": run_id}).one_or_none()
    if row is None:
        row = tx.execute(_RUN_LOCKED, {"run_id": find_run_id(tx, run_id)}).one()
    # What belongs to the run is read after its row is held: a join would show it as it was before waiting.
    return _run(tx, row, row.attempt)


def list_runs(
    tx: Transaction,
    *,
    statuses: Sequence[str] = (),
    model: str | None = None,
    submitter: str | None = None,
    run_ids: Sequence[str] | None = None,
    before: tuple[datetime, str] | None = None,
    hidden: Collection[str] = (),
    limit: int = 50,
) -> list[Run]:
    """Runs, newest first, without those of `hidden` models; `before` is the (created_at, id) of the last one seen."""
    query = select(runs).where(runs.c.model.not_in(list(hidden))) if hidden else select(runs)
    if statuses:
        query = query.where(runs.c.status.in_(statuses))
    if model is not None:
        query = query.where(runs.c.model == model)
    if submitter is not None:
        query = query.where(runs.c.submitter == submitter)
    if run_ids is not None:
        query = query.where(runs.c.id.in_(run_ids))
    if before is not None:
        query = query.where(tuple_(runs.c.created_at, runs.c.id) < tuple_(*map(_literal, before)))
    rows = tx.execute(query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)).all()
    return _runs(tx, rows)


def _literal(value: Any) -> Any:
    return bindparam(None, value)


def list_attempts(tx: Transaction, run_id: str) -> list[Attempt]:
    """Every attempt of the run, oldest first, with its steps."""
    found = tx.execute(select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.number)).all()
    states = list_steps(tx, [(run_id, row.number) for row in found])
    return [_attempt(row, states.get((run_id, row.number), ())) for row in found]


def _run(tx: Transaction, row: Row[Any], attempt: int) -> Run:
    found = tx.execute(_ATTEMPT, {"run_id": row.id, "number": attempt}).one_or_none()
    if found is None:
        raise NotFoundError(f"Run {row.id} has no attempt {attempt}.", f"It has {row.attempt}.")
    gates = list_gates(tx, [row.id], attempt=attempt)
    return _build(tx, row, _attempt(found, list_steps_of(tx, row.id, attempt)), gates)


def _runs(tx: Transaction, rows: Sequence[Row[Any]]) -> list[Run]:
    """Many runs with a fixed number of queries."""
    keys = [(row.id, row.attempt) for row in rows]
    if not keys:
        return []
    found = {
        row.run_id: row
        for row in tx.execute(select(attempts).where(tuple_(attempts.c.run_id, attempts.c.number).in_(keys)))
    }
    states = list_steps(tx, keys)
    gates = list_gates(tx, [row.id for row in rows])
    return [
        _build(
            tx,
            row,
            _attempt(found[row.id], states.get((row.id, row.attempt), ())),
            [g for g in gates if g.run_id == row.id and g.attempt == row.attempt],
        )
        for row in rows
    ]


def _build(tx: Transaction, row: Row[Any], attempt: Attempt, gates: Sequence[Any]) -> Run:
    return Run(
        id=row.id,
        model=row.model,
        pipeline=_pipeline(tx, row.pipeline_digest),
        status=RunStatus(row.status),
        submitter=row.submitter,
        attempt=attempt,
        gates=tuple(gates),
        epoch=row.epoch,
        snapshot_digest=row.snapshot_digest,
        note=row.note,
        created_at=row.created_at,
        ended_at=row.ended_at,
        error=row.error,
        kind=RunKind(row.kind),
        parent_id=row.parent_id,
    )


def _pipeline(tx: Transaction, digest: str) -> Pipeline:
    return codec.pipeline_of(digest, lambda: tx.scalar(_DOCUMENT, {"digest": digest}))


def _attempt(row: Row[Any], states: Sequence[StepRun]) -> Attempt:
    version = codec.VERSION.validate_python(row.version) if row.version is not None else None
    asked = codec.ASKED.validate_python(row.asked) if row.asked else ()
    contributors = tuple(row.contributors)
    return Attempt(row.number, Cause(row.cause), tuple(states), version, contributors, row.note, asked, row.answers)


def set_run(
    tx: Transaction,
    run: Run,
    *,
    status: RunStatus,
    at: datetime,
    audit: Sequence[AuditEvent],
    error: str | None = None,
    step: str | None = None,
    attempt: int | None = None,
    version: ModelVersion | None = None,
) -> Run:
    """Move the run to `status`, if it still stands and belongs to whom it did when `run` was read.

    Returns the run as it is then.

    Raises:
        FencedError: somebody else was first.
    """
    values: dict[str, Any] = {"status": status.value, "updated_at": at, "error": error}
    values["ended_at"] = None if status in _LIVE else at
    if step is not None:
        values["step"] = step
    if attempt is not None:
        values["attempt"] = attempt
        values["version"] = version.version if version else runs.c.version
    here = {"run_id": run.id, "former": run.status.value, "mine": run.epoch}
    if step is None and attempt is None:
        done = tx.execute(_SET_RUN, {**here, **values})
    else:
        done = tx.execute(_MY_RUN.values(**values), here)
    _expect_one(done.rowcount, run)
    add_events(tx, audit)
    return replace(run, status=status, error=error, ended_at=values["ended_at"])


_MY_RUN = update(runs).where(
    runs.c.id == bindparam("run_id"), runs.c.status == bindparam("former"), runs.c.epoch == bindparam("mine")
)
_SET_RUN = _MY_RUN.values({name: bindparam(name) for name in ("status", "updated_at", "error", "ended_at")})
_LIVE = frozenset({RunStatus.RUNNING, RunStatus.WAITING, RunStatus.CHANGES_REQUESTED})


_SET_PLACE = (
    update(runs)
    .where(runs.c.id == bindparam("run_id"), runs.c.epoch == bindparam("mine"))
    .values(step=bindparam("name"), updated_at=bindparam("at"))
)


def set_step(
    tx: Transaction, run: Run, name: str, *, status: StepStatus, at: datetime, audit: Sequence[AuditEvent], **more: Any
) -> Run:
    """Move a step of the present attempt to `status`, fenced by its former status and the run's epoch.

    `more` are columns of the step: tries, evidence_digest, training_run_id, error, note,
    has_failed_checks. Returns the run as it is then.

    Raises:
        FencedError: somebody else was first.
    """
    former = run.attempt.step(name)
    values: dict[str, Any] = {"status": status, **more}
    if status is StepStatus.RUNNING:
        values |= {"started_at": at, "ended_at": None, "error": more.get("error")}
    elif status is StepStatus.WAITING:
        values.setdefault("started_at", at)
    elif status is StepStatus.PENDING:
        values |= {"started_at": None, "ended_at": None}
    else:
        values["ended_at"] = at
    # The run's row first: whoever takes the run over holds it, so nothing of ours gets past them.
    mine = tx.execute(_SET_PLACE, {"run_id": run.id, "mine": run.epoch, "name": name, "at": at})
    _expect_one(mine.rowcount, run)
    step = replace(former, **values)
    _expect_one(replace_step(tx, run.id, run.attempt.number, former.status, step), run)
    add_events(tx, audit)
    states = tuple(step if other is former else other for other in run.attempt.steps)
    return replace(run, attempt=replace(run.attempt, steps=states))


def set_version(
    tx: Transaction, run: Run, version: ModelVersion, *, contributors: Sequence[str], audit: Sequence[AuditEvent]
) -> Run:
    """Record which version the present attempt is about. Returns the run as it is then."""
    done = tx.execute(
        update(runs).where(runs.c.id == run.id, runs.c.epoch == run.epoch).values(version=version.version)
    )
    _expect_one(done.rowcount, run)
    tx.execute(
        update(attempts)
        .where(attempts.c.run_id == run.id, attempts.c.number == run.attempt.number)
        .values(version=codec.plain(codec.VERSION, version), contributors=list(contributors))
    )
    add_events(tx, audit)
    return replace(run, attempt=replace(run.attempt, version=version, contributors=tuple(contributors)))


def _expect_one(count: int, run: Run) -> None:
    if count != 1:
        raise FencedError(f"Run {run.id} was moved on by somebody else meanwhile.", "Read it again.")


def list_kinds(tx: Transaction, run_ids: Collection[str]) -> dict[str, tuple[RunKind, RunStatus]]:
    """Run id -> why it exists and where it stands."""
    found = tx.execute(select(runs.c.id, runs.c.kind, runs.c.status).where(runs.c.id.in_(run_ids)))
    return {row.id: (RunKind(row.kind), RunStatus(row.status)) for row in found}


_RUNNING = (
    select(runs.c.id)
    .where(runs.c.model == bindparam("of_model"), runs.c.status == RunStatus.RUNNING.value, runs.c.epoch > 0)
    .order_by(runs.c.created_at.desc())
    .limit(50)
)


def list_running(tx: Transaction, model: str) -> list[str]:
    """Runs of `model` that a worker has taken up and that wait for nobody, newest first.

    One that no worker has looked at yet has its wake-up before it.
    """
    return [str(run_id) for run_id in tx.scalars(_RUNNING, {"of_model": model})]


def get_step_row(tx: Transaction, run_id: str, attempt: int, name: str) -> Row[Any] | None:
    """The raw row of a step; None when there is none."""
    return tx.execute(
        select(steps).where(steps.c.run_id == run_id, steps.c.attempt == attempt, steps.c.name == name)
    ).one_or_none()
