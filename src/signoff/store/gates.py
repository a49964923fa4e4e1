"""Gates and decisions: opening, deciding under the gate's row lock, closing, and what waits for whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, any_, bindparam, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.types import Text

from signoff.domain.audit import AuditEvent
from signoff.domain.deadlines import stands_until
from signoff.domain.errors import ConflictError, NotFoundError
from signoff.domain.gate import Decision, Gate, GateStatus, Verdict
from signoff.domain.pipeline import OnTimeout, RuleSpec
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import decisions, gates

# Built once: putting a statement together costs several times what sending it does.
_OF_RUNS = (
    select(gates)
    .where(gates.c.run_id == any_(bindparam("run_ids", type_=ARRAY(Text))))
    .order_by(gates.c.opened_at, gates.c.round)
)
_OF_ATTEMPT = _OF_RUNS.where(gates.c.attempt == bindparam("attempt"))
_DECISIONS = (
    select(decisions)
    .where(decisions.c.gate_id == any_(bindparam("gate_ids", type_=ARRAY(Text))))
    .order_by(decisions.c.at, decisions.c.id)
)
_ADD_DECISION = insert(decisions)
_CLOSE = (
    update(gates)
    .where(gates.c.id == bindparam("gate_id"), gates.c.status == bindparam("former"))
    .values({name: bindparam(name) for name in ("status", "closed_at", "note", "valid_until")})
)


def references_of(gate: Gate) -> list[str]:
    """Everybody whom a rule names as it counts now: what the inbox searches."""
    return sorted({name for rule in gate.all_rules for name in rule.approvers})


def add_gate(tx: Transaction, gate: Gate, *, audit: Sequence[AuditEvent]) -> None:
    """Open a gate."""
    tx.execute(
        insert(gates).values(
            id=gate.id,
            run_id=gate.run_id,
            step=gate.step,
            attempt=gate.attempt,
            round=gate.round,
            status=gate.status.value,
            model=gate.subject.model,
            subject=codec.plain(codec.SUBJECT, gate.subject),
            digest=gate.digest,
            rules=codec.plain(codec.RULES, gate.rules),
            environment_rules=codec.plain(codec.RULES, gate.environment_rules),
            approvers=references_of(gate),
            excluded=list(gate.excluded),
            contributors=list(gate.contributors),
            checklist=list(gate.checklist),
            opened_at=gate.opened_at,
            note=gate.note,
            on_timeout=gate.on_timeout.value,
            escalate_to=list(gate.escalate_to),
            expires_at=gate.expires_at,
            remind_every=gate.remind_every,
            remind_at=gate.remind_at,
            valid_for=gate.valid_for,
        )
    )
    add_events(tx, audit)


def get_gate(tx: Transaction, gate_id: str, *, lock: bool = False) -> Gate:
    """The gate, its row held until the transaction ends when `lock`."""
    query = select(gates).where(gates.c.id == gate_id)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError(f"No gate is called {gate_id}.")
    return _gate(row)


def list_gates(tx: Transaction, run_ids: Sequence[str], *, attempt: int | None = None) -> list[Gate]:
    """The gates of these runs (in one attempt, when given), oldest round first."""
    ids = list(run_ids)
    if attempt is None:
        return [_gate(row) for row in tx.execute(_OF_RUNS, {"run_ids": ids})]
    return [_gate(row) for row in tx.execute(_OF_ATTEMPT, {"run_ids": ids, "attempt": attempt})]


def list_open_gates(
    tx: Transaction,
    *,
    references: Sequence[str] | None = None,
    undecided_by: str | None = None,
    decided_by: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[Gate]:
    """Open gates, oldest first; `references` (``bob``, ``group:risk``) narrows to rules that name one of them.

    `undecided_by` leaves out those about which this person decided, or somebody for them; `decided_by` the others.
    """
    query = select(gates).where(gates.c.status == GateStatus.OPEN.value).order_by(gates.c.opened_at, gates.c.id)
    if references is not None:
        query = query.where(gates.c.approvers.op("&&")(array(list(references), type_=Text).cast(ARRAY(Text))))
    if undecided_by is not None:
        query = query.where(~_decided_by(undecided_by))
    if decided_by is not None:
        query = query.where(_decided_by(decided_by))
    if after is not None:
        query = query.where(tuple_(gates.c.opened_at, gates.c.id) > after)
    return [_gate(row) for row in tx.execute(query.limit(limit))]


def _decided_by(person: str) -> ColumnElement[bool]:
    """That a decision stands which `person` made, for whomever, or that was made for them."""
    theirs = or_(decisions.c.by == person, decisions.c.on_behalf_of == person)
    return exists().where(decisions.c.gate_id == gates.c.id, ~decisions.c.is_withdrawn, theirs)


def list_gates_before(tx: Transaction, environments: Collection[str]) -> list[Gate]:
    """Every open gate whose approval is for one of these environments, oldest first."""
    target = gates.c.subject["environment"].astext
    query = select(gates).where(gates.c.status == GateStatus.OPEN.value, target.in_(environments))
    return [_gate(row) for row in tx.execute(query.order_by(gates.c.opened_at, gates.c.id))]


def gate_ages(tx: Transaction, *, now: datetime) -> list[float]:
    """The age in seconds of every open gate, at most 100,000 of them."""
    query = select(func.extract("epoch", now - gates.c.opened_at)).where(gates.c.status == GateStatus.OPEN.value)
    return [float(age) for age in tx.scalars(query.limit(100_000))]


def set_gate(
    tx: Transaction,
    gate: Gate,
    *,
    status: GateStatus,
    at: datetime,
    audit: Sequence[AuditEvent],
    note: str | None = None,
) -> Gate:
    """Move the gate to `status`, if it still stands where it did when it was read; returns it as it is then.

    An approval is written with the moment until which it stands.

    Raises:
        ConflictError: somebody else was first.
    """
    closed = replace(gate, status=status, closed_at=at, note=gate.note if note is None else note)
    closed = replace(closed, valid_until=stands_until(gate, status, at) or gate.valid_until)
    values = {"status": status.value, "closed_at": at, "note": closed.note, "valid_until": closed.valid_until}
    done = tx.execute(_CLOSE, {"gate_id": gate.id, "former": gate.status.value, **values})
    if done.rowcount != 1:
        raise ConflictError(f"The gate {gate.step} was closed by somebody else meanwhile.", "Read the run again.")
    add_events(tx, audit)
    return closed


def set_environment_rules(
    tx: Transaction, gate: Gate, rules: tuple[RuleSpec, ...], *, audit: Sequence[AuditEvent]
) -> Gate:
    """Ask the gate that waits by these rules of its environment from now on; returns it as it is then.

    Raises:
        ConflictError: it does not wait any more.
    """
    asked = replace(gate, environment_rules=rules)
    references = sorted({name for rule in asked.all_rules for name in rule.approvers})
    done = tx.execute(
        update(gates)
        .where(gates.c.id == gate.id, gates.c.status == GateStatus.OPEN.value)
        .values(environment_rules=codec.plain(codec.RULES, rules), approvers=references)
    )
    if done.rowcount != 1:
        raise ConflictError(f"The gate {gate.step} was closed by somebody else meanwhile.", "Read the run again.")
    add_events(tx, audit)
    return asked


def add_decision(tx: Transaction, gate: Gate, decision: Decision, *, audit: Sequence[AuditEvent]) -> None:
    """Keep one verdict."""
    tx.execute(
        _ADD_DECISION,
        {
            "id": decision.id,
            "gate_id": gate.id,
            "by": decision.by,
            "verdict": decision.verdict.value,
            "digest": decision.digest,
            "comment": decision.comment,
            "reasons": codec.plain(codec.REASONS, decision.reasons),
            "ticked": list(decision.ticked),
            "saw": dict(decision.saw),
            "at": decision.at,
            "on_behalf_of": decision.on_behalf_of,
            "passkey": decision.passkey,
            "is_claimed": decision.is_claimed,
        },
    )
    add_events(tx, audit)


def list_decisions(tx: Transaction, gate_ids: Sequence[str]) -> dict[str, list[Decision]]:
    """Gate id -> every decision about it, withdrawn ones included, oldest first."""
    found: dict[str, list[Decision]] = {gate_id: [] for gate_id in gate_ids}
    for row in tx.execute(_DECISIONS, {"gate_ids": list(gate_ids)}):
        found[row.gate_id].append(_decision(row))
    return found


def withdraw_decision(tx: Transaction, decision: Decision, *, audit: Sequence[AuditEvent]) -> None:
    """Mark the decision withdrawn; it stays on record."""
    tx.execute(update(decisions).where(decisions.c.id == decision.id).values(is_withdrawn=True))
    add_events(tx, audit)


def _gate(row: Row[Any]) -> Gate:
    return Gate(
        id=row.id,
        run_id=row.run_id,
        step=row.step,
        attempt=row.attempt,
        round=row.round,
        status=GateStatus(row.status),
        subject=codec.SUBJECT.validate_python(row.subject),
        rules=codec.RULES.validate_python(row.rules),
        opened_at=row.opened_at,
        environment_rules=codec.RULES.validate_python(row.environment_rules),
        excluded=tuple(row.excluded),
        contributors=tuple(row.contributors),
        checklist=tuple(row.checklist),
        closed_at=row.closed_at,
        note=row.note,
        on_timeout=OnTimeout(row.on_timeout),
        escalate_to=tuple(row.escalate_to),
        expires_at=row.expires_at,
        escalated_at=row.escalated_at,
        remind_every=row.remind_every,
        remind_at=row.remind_at,
        reminders=row.reminders,
        valid_for=row.valid_for,
        valid_until=row.valid_until,
        lapsed_at=row.lapsed_at,
        warned_at=row.warned_at,
    )


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        id=row.id,
        by=row.by,
        verdict=Verdict(row.verdict),
        digest=row.digest,
        at=row.at,
        comment=row.comment,
        reasons=codec.REASONS.validate_python(row.reasons),
        ticked=tuple(row.ticked),
        saw=row.saw,
        is_withdrawn=row.is_withdrawn,
        on_behalf_of=row.on_behalf_of,
        passkey=row.passkey,
        is_claimed=row.is_claimed,
    )
