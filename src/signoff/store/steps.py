"""The steps of attempts: read in the order of their pipeline, and one replaced. Used by `store.runs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Row, bindparam, select, tuple_, update

from signoff.domain.run import StepRun, StepStatus
from signoff.store.database import Transaction
from signoff.store.tables import steps

# Built once: putting a statement together costs several times what sending it does.
_OF_ATTEMPT = (
    select(steps)
    .where(steps.c.run_id == bindparam("run_id"), steps.c.attempt == bindparam("number"))
    .order_by(steps.c.position)
)
_COLUMNS = tuple(field.name for field in fields(StepRun) if field.name != "name")
_REPLACE = (
    update(steps)
    .where(
        steps.c.run_id == bindparam("its_run"),
        steps.c.attempt == bindparam("its_attempt"),
        steps.c.name == bindparam("its_name"),
        steps.c.status == bindparam("former"),
    )
    .values({name: bindparam(name) for name in _COLUMNS})
)


def list_steps_of(tx: Transaction, run_id: str, attempt: int) -> tuple[StepRun, ...]:
    """The steps of one attempt of one run."""
    return tuple(_step(row) for row in tx.execute(_OF_ATTEMPT, {"run_id": run_id, "number": attempt}))


def replace_step(tx: Transaction, run_id: str, attempt: int, former: StepStatus, step: StepRun) -> int:
    """Write `step` over the one of its name if that still stands at `former`; how many rows that were."""
    values = {name: getattr(step, name) for name in _COLUMNS}
    here = {"its_run": run_id, "its_attempt": attempt, "its_name": step.name, "former": former.value}
    return tx.execute(_REPLACE, {**values, **here, "status": step.status.value}).rowcount


def list_steps(tx: Transaction, attempts: Sequence[tuple[str, int]]) -> dict[tuple[str, int], tuple[StepRun, ...]]:
    """(Run id, attempt) -> its steps, for such pairs."""
    query = select(steps).where(tuple_(steps.c.run_id, steps.c.attempt).in_(attempts)).order_by(steps.c.position)
    found: dict[tuple[str, int], list[StepRun]] = {}
    for row in tx.execute(query):
        found.setdefault((row.run_id, row.attempt), []).append(_step(row))
    return {key: tuple(states) for key, states in found.items()}


def _step(row: Row[Any]) -> StepRun:
    return StepRun(
        name=row.name,
        status=StepStatus(row.status),
        tries=row.tries,
        started_at=row.started_at,
        ended_at=row.ended_at,
        evidence_digest=row.evidence_digest,
        training_run_id=row.training_run_id,
        error=row.error,
        note=row.note,
        has_failed_checks=row.has_failed_checks,
    )
