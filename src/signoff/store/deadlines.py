"""Deadlines in the gates' rows: which are due, what was done about them, and when somebody last looked.

Each list reads one partial index from its beginning, so that looking costs what is due and not what waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Interval, Select, and_, bindparam, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.deadlines import EXPIRY_SHARE
from signoff.domain.errors import ConflictError
from signoff.domain.gate import Gate, GateStatus
from signoff.domain.run import RunKind, StepStatus
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.gates import references_of
from signoff.store.tables import documents, gates, runs, steps

_TICK = "tick"
_IS_OPEN = gates.c.status == GateStatus.OPEN.value
_IS_APPROVED = gates.c.status == GateStatus.APPROVED.value


class DueGate(NamedTuple):
    """A gate with a deadline that has passed: when it was, and whose."""

    moment: datetime
    gate_id: str
    run_id: str


def list_unanswered(tx: Transaction, *, now: datetime, after: DueGate | None, limit: int) -> list[DueGate]:
    """Open gates that ran out of time, and were not escalated."""
    is_due = and_(_IS_OPEN, gates.c.expires_at.is_not(None), gates.c.escalated_at.is_(None))
    return _list(tx, _due(gates.c.expires_at, is_due), now, after, limit)


def list_to_remind(tx: Transaction, *, now: datetime, after: DueGate | None, limit: int) -> list[DueGate]:
    """Open gates whose people are to be reminded."""
    return _list(tx, _due(gates.c.remind_at, and_(_IS_OPEN, gates.c.remind_at.is_not(None))), now, after, limit)


def list_outlived(tx: Transaction, *, now: datetime, after: DueGate | None, limit: int) -> list[DueGate]:
    """Approved gates whose approval grew too old, which nobody has dealt with."""
    is_due = and_(_IS_APPROVED, gates.c.valid_until.is_not(None), gates.c.lapsed_at.is_(None))
    return _list(tx, _due(gates.c.valid_until, is_due), now, after, limit)


def list_expiring(
    tx: Transaction, *, now: datetime, after: DueGate | None, limit: int, notice: timedelta
) -> list[DueGate]:
    """Approved gates whose approval will soon be too old, and whose people were not told."""
    stands = and_(_IS_APPROVED, gates.c.valid_until.is_not(None), gates.c.lapsed_at.is_(None))
    early = func.least(notice, gates.c.valid_for.op("/", return_type=Interval())(EXPIRY_SHARE))
    # The first condition is what the index answers; what the second one leaves out is soon due.
    is_near = and_(stands, gates.c.valid_until <= now + notice, gates.c.warned_at.is_(None))
    query = select(gates.c.valid_until, gates.c.id, gates.c.run_id).where(is_near, gates.c.valid_until - early <= now)
    return _list(tx, query.order_by(gates.c.valid_until), now, after, limit)


def set_warned(tx: Transaction, gate: Gate, at: datetime, *, audit: Sequence[AuditEvent]) -> None:
    """Its people are told that the approval will expire; ConflictError when somebody else was first."""
    row = update(gates).where(gates.c.id == gate.id, _IS_APPROVED, gates.c.warned_at.is_(None))
    _once(tx, gate, row.values(warned_at=at), audit)


def _due(moment: ColumnElement[datetime], is_due: ColumnElement[bool]) -> Select[datetime, str, str]:
    return select(moment, gates.c.id, gates.c.run_id).where(is_due, moment <= bindparam("now")).order_by(moment)


def _list(
    tx: Transaction, query: Select[datetime, str, str], now: datetime, after: DueGate | None, limit: int
) -> list[DueGate]:
    column = query.selected_columns[0]
    query = query.order_by(gates.c.id).limit(limit)
    if after is not None:
        query = query.where(column >= after.moment, tuple_(column, gates.c.id) > (after.moment, after.gate_id))
    found = tx.execute(query, {"now": now})
    return [DueGate(moment, gate_id, run_id) for moment, gate_id, run_id in found]


def set_escalated(tx: Transaction, gate: Gate, *, audit: Sequence[AuditEvent]) -> None:
    """Write `gate.escalated_at`, and the further approvers into what the inbox searches.

    Raises:
        ConflictError: somebody else was first.
    """
    row = update(gates).where(gates.c.id == gate.id, _IS_OPEN, gates.c.escalated_at.is_(None))
    _once(tx, gate, row.values(escalated_at=gate.escalated_at, approvers=references_of(gate)), audit)


def set_reminded(tx: Transaction, gate: Gate, *, former: datetime | None, audit: Sequence[AuditEvent]) -> None:
    """Write `gate.reminders` and `gate.remind_at`, which was `former`; ConflictError when somebody else was first."""
    row = update(gates).where(gates.c.id == gate.id, _IS_OPEN, gates.c.remind_at == former)
    _once(tx, gate, row.values(remind_at=gate.remind_at, reminders=gate.reminders), audit)


def set_lapsed(tx: Transaction, gate: Gate, *, audit: Sequence[AuditEvent]) -> None:
    """Write `gate.lapsed_at` and its note; ConflictError when somebody else was first."""
    row = update(gates).where(gates.c.id == gate.id, _IS_APPROVED, gates.c.lapsed_at.is_(None))
    _once(tx, gate, row.values(lapsed_at=gate.lapsed_at, note=gate.note), audit)


def set_renewed(tx: Transaction, gate: Gate, *, audit: Sequence[AuditEvent]) -> None:
    """Write that the approval of `gate`, which had expired, stands again until `gate.valid_until`."""
    row = update(gates).where(gates.c.id == gate.id, _IS_APPROVED)
    _once(tx, gate, row.values(lapsed_at=None, warned_at=None, valid_until=gate.valid_until, note=gate.note), audit)


def _once(tx: Transaction, gate: Gate, statement: object, audit: Sequence[AuditEvent]) -> None:
    if tx.execute(statement).rowcount != 1:  # type: ignore[call-overload]
        raise ConflictError(f"The gate {gate.step} was moved on by somebody else meanwhile.", "Read the run again.")
    add_events(tx, audit)


def ask_lapsed_again(tx: Transaction, run_id: str, environment: str) -> None:
    """Something rests again on what the run let into `environment`: the next tick asks for what has expired there."""
    there = gates.c.subject["environment"].astext == environment
    row = update(gates).where(gates.c.run_id == run_id, _IS_APPROVED, gates.c.lapsed_at.is_not(None), there)
    tx.execute(row.values(lapsed_at=None))


def find_reapproval(tx: Transaction, run_id: str, step: str) -> str | None:
    """The run on its way that asks for the approval of `step` in that run again; None when there is none."""
    query = (
        select(runs.c.id)
        .join(steps, steps.c.run_id == runs.c.id)
        .where(
            runs.c.parent_id == run_id,
            runs.c.kind == RunKind.REAPPROVAL.value,
            runs.c.ended_at.is_(None),
            steps.c.name == step,
            steps.c.status != StepStatus.SKIPPED.value,
        )
        .limit(1)
    )
    found: str | None = tx.scalar(query)
    return found


def is_approved_anew(tx: Transaction, gate: Gate, *, now: datetime) -> bool:
    """Whether another gate approved the same bytes for the same environment since, and still stands.

    What a reapproval said is in the gate that it renewed.
    """
    query = (
        select(gates.c.subject)
        .join(runs, runs.c.id == gates.c.run_id)
        .where(
            runs.c.model == gate.subject.model,
            runs.c.version == gate.subject.version,
            runs.c.kind != RunKind.REAPPROVAL.value,
            gates.c.id != gate.id,
            _IS_APPROVED,
            gates.c.closed_at > gate.closed_at,
            gates.c.lapsed_at.is_(None),
            or_(gates.c.valid_until.is_(None), gates.c.valid_until > now),
        )
    )
    same = (gate.subject.manifest_digest, gate.subject.environment)
    found = (codec.SUBJECT.validate_python(document) for document in tx.scalars(query))
    return any((subject.manifest_digest, subject.environment) == same for subject in found)


def list_approved_versions(tx: Transaction, model: str) -> list[str]:
    """The versions of `model` that a run brought to its end."""
    query = select(runs.c.version).distinct().where(runs.c.model == model, runs.c.status == "succeeded")
    return [str(version) for version in tx.scalars(query.where(runs.c.version.is_not(None)))]


def get_clock(tx: Transaction) -> datetime:
    """The database's own clock: the one that all workers share."""
    moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def remember_tick(tx: Transaction, at: datetime) -> datetime | None:
    """Remember that somebody looked at the deadlines at this moment; returns when that was before, if ever."""
    query = select(documents.c.applied_at).where(documents.c.name == _TICK).with_for_update()
    former: datetime | None = tx.scalar(query)
    row = {"name": _TICK, "digest": "", "document": {}, "applied_at": at}
    tx.execute(upsert(documents).values(row).on_conflict_do_update(index_elements=["name"], set_={"applied_at": at}))
    return former
