"""`concurrency: supersede`: a new run takes the place of older ones of its model that wait for people."""

from __future__ import annotations

from datetime import datetime

from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.gate import GateStatus
from signoff.domain.pipeline import Concurrency
from signoff.domain.run import Run, RunKind, RunStatus, StepStatus, environments_ahead
from signoff.engine.jobs import wake_run
from signoff.service.desk import happened
from signoff.store import gates, runs
from signoff.store.database import Transaction

_UNFINISHED = frozenset({StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING})
_MOST = 1000


def supersede_older(tx: Transaction, actor: Actor, newer: Run, at: datetime) -> list[str]:
    """Close the gates of older runs of the model that head for an environment of `newer`; returns those runs' ids.

    Does nothing unless the pipeline of `newer` says `concurrency: supersede`.
    """
    if newer.pipeline.concurrency is not Concurrency.SUPERSEDE:
        return []
    places = environments_ahead(newer)
    waiting = runs.list_runs(tx, statuses=[RunStatus.WAITING.value], model=newer.model, limit=_MOST)
    closed = []
    for found in waiting:
        if found.id == newer.id or found.kind is not RunKind.RELEASE or not places & environments_ahead(found):
            continue
        older = runs.lock_run(tx, found.id)
        if older.status is not RunStatus.WAITING or older.open_gate is None:
            continue  # decided meanwhile: it is approved, or over
        _supersede(tx, actor, older, newer, ", ".join(sorted(places & environments_ahead(older))), at)
        closed.append(older.id)
    return closed


def _supersede(tx: Transaction, actor: Actor, older: Run, newer: Run, places: str, at: datetime) -> None:
    run = runs.take_run(tx, older.id)  # whoever works on it can write no more
    version = newer.attempt.version
    what = f"v{version.version}" if version is not None else "a version to be trained"
    why = f"run {newer.id} of {newer.submitter} heads for {places} with {what} and takes its place"
    if run.open_gate is not None:
        about = {"step": run.open_gate.step, "gate": run.open_gate.id, "note": why, "newer_run": newer.id}
        cancelled = happened(Event.GATE_CANCELLED, actor, at, run.id, run.model, **about)
        gates.set_gate(tx, run.open_gate, status=GateStatus.CANCELLED, at=at, audit=[cancelled], note=why)
    for state in run.attempt.steps:
        if state.status in _UNFINISHED:
            run = runs.set_step(tx, run, state.name, status=StepStatus.CANCELLED, at=at, audit=[], note=why)
    superseded = happened(Event.RUN_SUPERSEDED, actor, at, run.id, run.model, newer_run=newer.id, why=why)
    runs.set_run(tx, run, status=RunStatus.SUPERSEDED, at=at, audit=[superseded], error=why)
    wake_run(tx, run.id)  # for the registry's mirror
