"""Logs of running steps: chunks in the database while a step runs, so that every server can show them live."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.run import Run
from signoff.store.database import Transaction
from signoff.store.tables import log_chunks, runs, steps


def set_chunk(tx: Transaction, run_id: str, attempt: int, step: str, start: int, data: bytes) -> None:
    """Keep `data`, which begins at byte `start` of the step's log; what was kept from there on before is replaced."""
    row = {"run_id": run_id, "attempt": attempt, "step": step, "start": start, "data": data}
    key = [log_chunks.c[name] for name in ("run_id", "attempt", "step", "start")]
    tx.execute(upsert(log_chunks).values(row).on_conflict_do_update(index_elements=key, set_={"data": data}))


def read_chunks(tx: Transaction, run_id: str, attempt: int, step: str, *, offset: int, limit: int) -> bytes:
    """At most about `limit` bytes of the log from byte `offset` on; empty when there is no more (yet)."""
    c = log_chunks.c
    mine = (c.run_id == run_id) & (c.attempt == attempt) & (c.step == step)
    first = select(func.max(c.start)).where(mine, c.start <= offset).scalar_subquery()
    query = select(c.start, c.data).where(mine, c.start >= first, c.start < offset + limit).order_by(c.start)
    text = b"".join(bytes(row.data)[max(0, offset - row.start) :] for row in tx.execute(query))
    return text[:limit]


def log_size(tx: Transaction, run_id: str, attempt: int, step: str) -> int:
    """How many bytes of the step's log are in chunks."""
    c = log_chunks.c
    mine = (c.run_id == run_id) & (c.attempt == attempt) & (c.step == step)
    row = tx.execute(select(c.start, func.length(c.data)).where(mine).order_by(c.start.desc()).limit(1)).one_or_none()
    return int(row[0]) + int(row[1]) if row is not None else 0


def list_logged(tx: Transaction, run_id: str) -> frozenset[str]:
    """The names of the run's steps that have written a log, in whichever attempt."""
    kept = select(steps.c.name).where(steps.c.run_id == run_id, steps.c.log_digest.is_not(None))
    return frozenset(tx.scalars(kept.union(select(log_chunks.c.step).where(log_chunks.c.run_id == run_id))))


def begin_log(tx: Transaction, run: Run, step: str) -> None:
    """The step starts (anew): what an earlier try wrote is forgotten."""
    tx.execute(update(steps).where(_row(run, step)).values(log_digest=None))
    _remove_chunks(tx, run, step)


def end_log(tx: Transaction, run: Run, step: str, digest: str) -> None:
    """The whole log is the blob `digest` now, and its chunks go; nothing happens when the run is somebody else's."""
    done = tx.execute(update(steps).where(_row(run, step)).values(log_digest=digest))
    if done.rowcount == 1:
        _remove_chunks(tx, run, step)


def _row(run: Run, step: str) -> ColumnElement[bool]:
    ours = select(runs.c.id).where(runs.c.id == run.id, runs.c.epoch == run.epoch).exists()
    return and_(steps.c.run_id == run.id, steps.c.attempt == run.attempt.number, steps.c.name == step, ours)


def _remove_chunks(tx: Transaction, run: Run, step: str) -> None:
    c = log_chunks.c
    tx.execute(delete(log_chunks).where(c.run_id == run.id, c.attempt == run.attempt.number, c.step == step))
