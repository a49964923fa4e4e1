"""Past attempts of a model with all that was found out about them: what a draft policy is tried on, and histories.

Read in bulk: a few queries for thousands of runs, and of the evidence only what is asked of it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, any_, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by

from signoff.domain.evidence import Evidence
from signoff.domain.gate import POLICY_PREFIX
from signoff.domain.replay import PastAttempt, outcome_of
from signoff.domain.run import RunKind
from signoff.store import codec
from signoff.store.database import Transaction
from signoff.store.tables import attempts, decisions, evidence, gates, runs, steps

_BATCH = 500
_LEFT_OUT = ("pictures", "files", "fairness", "notes", "checks")
"""What no expression reads."""


def list_attempts(tx: Transaction, model: str, *, since: datetime | None, with_slices: bool) -> Iterator[PastAttempt]:
    """Every attempt of `model` that got as far as a decision by checks, policy or people, oldest first.

    `since`: of runs that began then or later. Without slices, their evidence holds none.
    """
    tested = (
        select(
            steps.c.run_id,
            steps.c.attempt,
            func.bool_or(and_(steps.c.type == "test", steps.c.status == "failed")).label("was_blocked"),
            func.bool_or(steps.c.status.in_(["errored", "running", "cancelled"])).label("is_unfinished"),
            func.array_agg(aggregate_order_by(steps.c.evidence_digest, steps.c.position))
            .filter(steps.c.evidence_digest.is_not(None))
            .label("digests"),
        )
        .group_by(steps.c.run_id, steps.c.attempt)
        .subquery()
    )
    by_policy = (
        select(decisions.c.gate_id)
        .where(decisions.c.by.startswith(POLICY_PREFIX, autoescape=True), ~decisions.c.is_withdrawn)
        .distinct()
        .subquery()
    )
    asked = (
        select(
            gates.c.run_id,
            gates.c.attempt,
            func.count(gates.c.step.distinct()).label("gates"),
            func.count(gates.c.step.distinct()).filter(by_policy.c.gate_id.is_not(None)).label("by_policy"),
            func.max(gates.c.closed_at - gates.c.opened_at).filter(by_policy.c.gate_id.is_(None)).label("waited"),
        )
        .select_from(gates.outerjoin(by_policy, by_policy.c.gate_id == gates.c.id))
        .where(gates.c.model == model)
        .group_by(gates.c.run_id, gates.c.attempt)
        .subquery()
    )
    query = (
        select(
            attempts.c.run_id,
            attempts.c.number,
            attempts.c.started_at,
            cast(attempts.c.version, Text).label("version"),
            tested.c.was_blocked,
            tested.c.is_unfinished,
            tested.c.digests,
            func.coalesce(asked.c.gates, literal(0)).label("gates"),
            func.coalesce(asked.c.by_policy, literal(0)).label("by_policy"),
            asked.c.waited,
        )
        .join(runs, runs.c.id == attempts.c.run_id)
        .join(tested, and_(tested.c.run_id == attempts.c.run_id, tested.c.attempt == attempts.c.number))
        .outerjoin(asked, and_(asked.c.run_id == attempts.c.run_id, asked.c.attempt == attempts.c.number))
        .where(runs.c.model == model, runs.c.kind == RunKind.RELEASE.value, attempts.c.version.is_not(None))
        .order_by(attempts.c.started_at, attempts.c.run_id, attempts.c.number)
    )
    if since is not None:
        query = query.where(runs.c.created_at >= since)
    for rows in tx.execution_options(yield_per=_BATCH).execute(query).partitions():
        wanted = [digest for row in rows for digest in row.digests or ()]
        found = _list_evidence(tx, wanted, with_slices=with_slices)
        for row in rows:
            if row.is_unfinished and not row.gates:
                continue
            yield PastAttempt(
                run_id=row.run_id,
                number=row.number,
                version=codec.VERSION.validate_json(row.version),
                at=row.started_at,
                was=outcome_of(was_blocked=row.was_blocked, gates=row.gates, by_policy=row.by_policy),
                evidence=tuple(found[digest] for digest in row.digests or () if digest in found),
                waited=row.waited,
            )


def _list_evidence(tx: Transaction, digests: list[str], *, with_slices: bool) -> dict[str, Evidence]:
    """Digest -> evidence without what no expression reads; parsed from its text, which is several times faster."""
    document: ColumnElement[Any] = evidence.c.document
    for key in (*_LEFT_OUT, *(() if with_slices else ("slices",))):
        document = document.op("-", return_type=JSONB)(key)
    chosen = evidence.c.digest == any_(bindparam("digests", type_=ARRAY(Text)))
    query = select(evidence.c.digest, cast(document, Text).label("document")).where(chosen)
    found = tx.execute(query, {"digests": digests})
    return {row.digest: codec.EVIDENCE.validate_json(row.document) for row in found}
