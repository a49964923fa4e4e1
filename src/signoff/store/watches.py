"""Registered pipelines as rows, what came of each version that they were told of, and the webhooks taken already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.run import RunKind, RunStatus
from signoff.domain.trigger import Arrival, PipelineExistsError, PipelineUnknownError, Start, Watch
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.tables import attempts, runs
from signoff.store.trigger_tables import starts, used_hooks, watches

_CLOCKS_DIFFER = timedelta(minutes=10)
"""How far the registry's clock may be ahead of ours."""
_PLAIN = ("name", "watched", "model", "source", "digest", "filename", "folder_name", "snapshot", "owner", "added_at")


def set_watch(tx: Transaction, watch: Watch, *, audit: Sequence[AuditEvent]) -> None:
    """Keep a registered pipeline, in place of the one of its name; one model starts one pipeline.

    Raises:
        PipelineExistsError: another pipeline is started by the same model.
    """
    taken = tx.scalar(select(watches.c.name).where(watches.c.watched == watch.watched, watches.c.name != watch.name))
    if taken is not None:
        raise PipelineExistsError(
            f"The pipeline {taken} is started by new versions of {watch.watched} already.",
            f"One is enough: `signoff pipeline remove {taken}` first, or give this file its name.",
        )
    row = {name: getattr(watch, name) for name in _PLAIN}
    row |= {"made_by": list(watch.made_by), "seen": watch.seen, "problem": None, "problem_at": None}
    tx.execute(upsert(watches).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
    add_events(tx, audit)


def find_watch(tx: Transaction, name: str, *, lock: bool = False) -> Watch | None:
    """The pipeline registered as `name`, its row held until the transaction ends when `lock`."""
    query = select(watches).where(watches.c.name == name)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    return _watch(row) if row is not None else None


def get_watch(tx: Transaction, name: str, *, lock: bool = False) -> Watch:
    """The same; PipelineUnknownError when there is none."""
    found = find_watch(tx, name, lock=lock)
    if found is None:
        raise PipelineUnknownError(f"No pipeline {name} is registered.", "`signoff pipeline list` shows them.")
    return found


def find_watch_of(tx: Transaction, watched: str) -> Watch | None:
    """The pipeline that new versions of this model start."""
    row = tx.execute(select(watches).where(watches.c.watched == watched)).one_or_none()
    return _watch(row) if row is not None else None


def list_watches(tx: Transaction) -> list[Watch]:
    """Every registered pipeline, by name."""
    return [_watch(row) for row in tx.execute(select(watches).order_by(watches.c.name))]


def remove_watch(tx: Transaction, name: str, *, audit: Sequence[AuditEvent]) -> None:
    """Forget a registered pipeline; what came of versions is kept."""
    tx.execute(delete(watches).where(watches.c.name == name))
    add_events(tx, audit)


def note_look(
    tx: Transaction, watch: Watch, *, seen: int, problem: str | None, at: datetime, audit: Sequence[AuditEvent]
) -> None:
    """Keep how far the registry's versions are dealt with, and what is in the way of the others.

    Nothing is kept where the pipeline was replaced meanwhile.
    """
    since = None if problem is None else watch.problem_at if watch.problem is not None else at
    values = {"seen": func.greatest(watches.c.seen, seen), "problem": problem, "problem_at": since, "looked_at": at}
    mine = (watches.c.name == watch.name) & (watches.c.added_at == watch.added_at)
    if tx.execute(update(watches).where(mine).values(values)).rowcount:
        add_events(tx, audit)


def add_start(tx: Transaction, start: Start, *, audit: Sequence[AuditEvent] = ()) -> bool:
    """Keep what came of a version; False when that is settled already: of several who try, one does."""
    names = ("model", "version", "made_at", "pipeline", "at", "run_id", "why_not")
    row = {**{name: getattr(start, name) for name in names}, "named": list(start.named)}
    if tx.scalar(upsert(starts).values(row).on_conflict_do_nothing().returning(starts.c.version)) is None:
        return False
    add_events(tx, audit)
    return True


def forget_refused(tx: Transaction, model: str, *, since: int) -> None:
    """Look at the versions of `model` from that number on again that got no run."""
    tx.execute(delete(starts).where(starts.c.model == model, starts.c.version >= since, starts.c.run_id.is_(None)))


def list_settled(tx: Transaction, model: str, *, after: int) -> set[tuple[int, datetime]]:
    """Number and moment of the versions of `model` with a higher number than `after` that are settled."""
    query = select(starts.c.version, starts.c.made_at).where(starts.c.model == model, starts.c.version > after)
    return {(int(row.version), row.made_at) for row in tx.execute(query)}


def list_starts(tx: Transaction, pipeline: str, *, limit: int = 20) -> list[Start]:
    """What came of the newest versions that the pipeline was told of, newest first."""
    query = select(starts).where(starts.c.pipeline == pipeline).order_by(starts.c.at.desc()).limit(limit)
    return [_start(row) for row in tx.execute(query)]


def list_newest_starts(tx: Transaction) -> dict[str, Start]:
    """What came of the newest version, by registered pipeline: a step along an index for each."""
    newest = select(starts).where(starts.c.pipeline == watches.c.name).order_by(starts.c.at.desc()).limit(1).lateral()
    query = select(*newest.c).select_from(watches).join(newest, true())
    return {row.pipeline: _start(row) for row in tx.execute(query)}


def find_run_about(tx: Transaction, model: str, arrival: Arrival) -> str | None:
    """The newest run of `model` that somebody started by hand for this very version, or for a copy of it."""
    label = f"models:/{arrival.model}/{arrival.version}"
    version = attempts.c.version
    itself = (version["model"].astext == arrival.model) & (version["version"].astext == str(arrival.version))
    query = (
        select(runs.c.id)
        .join(attempts, attempts.c.run_id == runs.c.id)
        .where(
            runs.c.model == model,
            runs.c.kind == RunKind.RELEASE.value,
            attempts.c.started_at >= arrival.made_at - _CLOCKS_DIFFER,
            or_(itself, version["origin"].astext == label),
        )
        .order_by(runs.c.created_at.desc())
        .limit(1)
    )
    run_id = tx.scalar(query)
    return str(run_id) if run_id is not None else None


def find_waiting(tx: Transaction, watch: Watch) -> str | None:
    """The newest run that the pipeline started, as it is now, and that waits for the next version."""
    query = (
        select(runs.c.id)
        .join(starts, starts.c.run_id == runs.c.id)
        .where(
            starts.c.pipeline == watch.name,
            runs.c.status == RunStatus.CHANGES_REQUESTED.value,
            runs.c.model == watch.model,
            runs.c.pipeline_digest == watch.digest,
            runs.c.submitter == watch.owner,
        )
        .order_by(runs.c.created_at.desc())
        .limit(1)
    )
    run_id = tx.scalar(query)
    return str(run_id) if run_id is not None else None


def use_hook(tx: Transaction, delivery: str, *, expires_at: datetime) -> bool:
    """Use a webhook's delivery up; False when it was taken before."""
    row = {"delivery": delivery, "expires_at": expires_at}
    statement = upsert(used_hooks).values(row).on_conflict_do_nothing().returning(used_hooks.c.delivery)
    return tx.scalar(statement) is not None


def forget_hooks(tx: Transaction, *, before: datetime) -> None:
    """Drop the deliveries that could not be taken again anyway: they are too old."""
    tx.execute(delete(used_hooks).where(used_hooks.c.expires_at < before))


def _watch(row: Row[Any]) -> Watch:
    more = ("seen", "problem", "problem_at", "looked_at")
    return Watch(**{name: getattr(row, name) for name in (*_PLAIN, *more)}, made_by=tuple(row.made_by))


def _start(row: Row[Any]) -> Start:
    names = ("model", "version", "made_at", "pipeline", "at", "run_id", "why_not")
    return Start(**{name: getattr(row, name) for name in names}, named=tuple(row.named))
