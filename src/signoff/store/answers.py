"""What an attempt answered to the reasons it was asked, and how a metric went from attempt to attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select, update

from signoff.domain.audit import AuditEvent
from signoff.domain.errors import FencedError
from signoff.domain.run import Run
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import attempts, evidence, runs


def set_answers(tx: Transaction, run: Run, answers: Mapping[str, str], *, audit: Sequence[AuditEvent]) -> Run:
    """Keep the answers of the present attempt beside those it has; returns the run as it is then.

    Raises:
        FencedError: somebody else took the run over.
    """
    mine = update(runs).where(runs.c.id == run.id, runs.c.epoch == run.epoch).values(epoch=runs.c.epoch)
    if tx.execute(mine).rowcount != 1:
        raise FencedError(f"Run {run.id} was moved on by somebody else meanwhile.", "Read it again.")
    known = {**run.attempt.answers, **answers}
    tx.execute(
        update(attempts)
        .where(attempts.c.run_id == run.id, attempts.c.number == run.attempt.number)
        .values(answers=known)
    )
    add_events(tx, audit)
    return replace(run, attempt=replace(run.attempt, answers=known))


def list_metric_values(tx: Transaction, run_id: str, metric: str, *, upto: int) -> list[float | None]:
    """The value of `metric` in each attempt from the first to number `upto`; of several steps the latest says it."""
    query = (
        select(evidence.c.attempt, evidence.c.document["metrics"])
        .where(evidence.c.run_id == run_id, evidence.c.attempt <= upto)
        .order_by(evidence.c.created_at)
    )
    found: dict[int, float] = {}
    for number, metrics in tx.execute(query):
        for item in metrics:
            if item["name"] == metric:
                found[number] = float(item["value"])
    return [found.get(number) for number in range(1, upto + 1)]
