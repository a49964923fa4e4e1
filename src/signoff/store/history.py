"""Past attempts of a model with all that was found out about them: what a draft policy is tried on, and histories.

Read in bulk: a few queries for thousands of runs, and of the evidence only what is asked of it again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Text, and_, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by

from signoff.domain.evidence import Evidence, Metric
from signoff.domain.gate import POLICY_PREFIX
from signoff.domain.replay import PastAttempt, outcome_of
from signoff.domain.run import RunKind
from signoff.store import codec
from signoff.store.database import Transaction
from signoff.store.tables import attempts, decisions, evidence, gates, runs, steps

_BATCH, _BATCH_WITH_SLICES = 500, 25
"""Attempts whose evidence is held at once; with slices each is a thousand objects."""
_EVIDENCE = text(
    """
    SELECT digest, jsonb_build_object(
        'step', whole -> 'step',
        'attempt', whole -> 'attempt',
        'model_digest', whole -> 'model_digest',
        'test_set', whole -> 'test_set',
        'metrics', jsonb_path_query_array(whole, '$.metrics[*] ? (@.name == $n[*])', wanted),
        'comparisons', coalesce(jsonb_path_query_array(whole, '$.comparisons[*] ? (@.metric == $n[*])', wanted), '[]'),
        -- Whole: to pick among them here takes longer than to read them all.
        'slices', CASE WHEN :with_slices THEN coalesce(whole -> 'slices', '[]') ELSE '[]' END,
        'champion', CASE WHEN jsonb_typeof(whole -> 'champion') = 'object' THEN jsonb_build_object(
            'version', whole -> 'champion' -> 'version',
            'digest', whole -> 'champion' -> 'digest',
            'metrics', (
                SELECT coalesce(jsonb_object_agg(name, metric), '{}')
                FROM jsonb_each(whole -> 'champion' -> 'metrics') AS known (name, metric)
                WHERE name = ANY (:names)
            )
        ) END
    )::text AS document
    FROM evidence
    -- Taken out of storage once, not anew for each part of it.
    CROSS JOIN LATERAL (SELECT document || '{}' AS whole, CAST(:wanted AS jsonb) AS wanted OFFSET 0) AS once
    WHERE digest = ANY (:digests)
    """
)


def list_attempts(
    tx: Transaction, model: str, *, since: datetime | None, metrics: Collection[str], with_slices: bool
) -> Iterator[PastAttempt]:
    """Every attempt of `model` that got as far as a decision by checks, policy or people, oldest first.

    `since`: of runs that began then or later. Their evidence holds what is said of `metrics`, and of
    slices only if asked for.
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
    batch = _BATCH_WITH_SLICES if with_slices else _BATCH
    for rows in tx.execution_options(yield_per=batch).execute(query).partitions():
        wanted = [digest for row in rows for digest in row.digests or ()]
        found = _list_evidence(tx, wanted, metrics, with_slices=with_slices)
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


def _list_evidence(
    tx: Transaction, digests: list[str], metrics: Collection[str], *, with_slices: bool
) -> dict[str, Evidence]:
    """Digest -> evidence about `metrics`; what is not asked for never leaves the database."""
    names = sorted(metrics)
    values = {"digests": digests, "names": names, "wanted": json.dumps({"n": names}), "with_slices": with_slices}
    found = tx.execute(_EVIDENCE, values)
    return {row.digest: codec.EVIDENCE.validate_json(row.document) for row in found}


def list_measured(tx: Transaction, model: str, names: Collection[str], *, limit: int) -> list[tuple[str, list[Metric]]]:
    """(version, those of its metrics that are called one of `names`) of the newest measured versions, oldest first.

    A version that was tested several times counts once, by its newest test.
    """
    query = (
        select(attempts.c.version["version"].astext, evidence.c.document["metrics"])
        .join(runs, runs.c.id == evidence.c.run_id)
        .join(attempts, and_(attempts.c.run_id == evidence.c.run_id, attempts.c.number == evidence.c.attempt))
        .where(runs.c.model == model, evidence.c.test_set.is_not(None))
        .order_by(evidence.c.created_at.desc())
        .limit(2 * limit)
    )
    found: dict[str, list[Metric]] = {}
    for version, metrics in tx.execute(query):
        if version not in found and len(found) < limit:
            found[version] = codec.METRICS.validate_python([one for one in metrics if one["name"] in names])
    return [*reversed(found.items())]
