"""Approvals that will soon be too old: their people are told once, while what was approved still matters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from signoff.domain.audit import Event
from signoff.domain.deadlines import is_expiring, said
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.engine.events import event
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.reapproval import is_needed
from signoff.store import gates, runs
from signoff.store.database import Transaction
from signoff.store.deadlines import DueGate, list_expiring, set_warned

_PAGE = 100


def warn_of_expiry(machinery: Machinery, now: datetime) -> int:
    """Tell of every approval that expires soon; returns of how many."""
    told = 0
    for found in _each(machinery, now):
        try:
            with machinery.database.begin() as tx:
                told += _warn(tx, machinery, found, now)
        except UnavailableError:
            raise
        except SignoffError as error:
            LOG.warning("nobody was told that an approval expires", run=found.run_id, why=str(error))
    return told


def _each(machinery: Machinery, now: datetime) -> Iterator[DueGate]:
    after: DueGate | None = None
    while not machinery.stopping.is_set():
        with machinery.database.begin() as tx:
            page = list_expiring(tx, now=now, after=after, limit=_PAGE, notice=machinery.expiry_notice)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]


def _warn(tx: Transaction, machinery: Machinery, found: DueGate, now: datetime) -> bool:
    """Whether anybody was told: of an approval on which nothing rests it is only noted that it was looked at."""
    run = runs.lock_run(tx, found.run_id)
    gate = gates.get_gate(tx, found.gate_id)
    if gate.valid_until is None or not is_expiring(gate, now, machinery.expiry_notice):
        return False
    if gate.attempt != run.attempt.number:
        run = runs.get_run(tx, run.id, attempt=gate.attempt)
    at = machinery.clock()
    matters = run.attempt.version is not None and is_needed(tx, run, gate, at)
    about = {"step": gate.step, "gate": gate.id, "digest": gate.digest}
    until = {"valid_until": gate.valid_until.isoformat(), "until": said(gate.valid_until)}
    told = [event(Event.APPROVAL_EXPIRING, run, at, **about, **until)] if matters else []
    set_warned(tx, gate, at, audit=told)
    return matters
