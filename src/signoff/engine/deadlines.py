"""Deadlines of gates, once a minute: expire, escalate, remind, and notice that an approval has grown too old.

One transaction for each gate, under its run's lock, deciding again from what it then reads: doing it twice, at two
workers at once, or while somebody decides, is harmless.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from signoff.domain.audit import Event
from signoff.domain.deadlines import Due, due, next_reminder, said, why_not_act
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.domain.gate import Gate, GateStatus, evaluate
from signoff.domain.run import Run, RunStatus, StepStatus
from signoff.engine.events import event
from signoff.engine.gates import earlier_approvals
from signoff.engine.jobs import wake_run
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.reapproval import start_reapproval
from signoff.engine.settling import settle
from signoff.store import gates, people, runs
from signoff.store.database import Transaction
from signoff.store.deadlines import (
    DueGate,
    list_outlived,
    list_to_remind,
    list_unanswered,
    remember_tick,
    set_escalated,
    set_lapsed,
    set_reminded,
)

_PAGE = 100


class Lister(Protocol):
    """A list of what is due, in the order of its deadlines."""

    def __call__(self, tx: Transaction, *, now: datetime, after: DueGate | None, limit: int) -> list[DueGate]:
        """At most `limit` gates that were due at `now`, those that follow `after`."""
        ...


def moment_to_act(machinery: Machinery) -> datetime | None:
    """The moment by which deadlines are judged at this tick; None when the clocks are not to be believed yet.

    Call it once a tick: it remembers that there was one.
    """
    with machinery.database.begin() as tx:
        theirs = machinery.database_clock(tx)
        mine = machinery.clock()
        why = why_not_act(mine, theirs, remember_tick(tx, theirs))
    if why is not None:
        LOG.warning("deadlines wait for the next tick", why=why)
        return None
    return min(mine, theirs)


def keep_deadlines(machinery: Machinery, now: datetime) -> Counter[Due]:
    """Do what is due at `now`; returns how often each was done."""
    done: Counter[Due] = Counter()
    for lister in (list_unanswered, list_to_remind, list_outlived):
        for found in _each(machinery, lister, now):
            try:
                with machinery.database.begin() as tx:
                    done.update(_act(tx, found, now, machinery.clock()))
            except UnavailableError:
                raise
            except SignoffError as error:
                LOG.warning("a deadline could not be kept; the next tick tries again", run=found.run_id, why=str(error))
            except Exception:  # noqa: BLE001 - a bug at one gate must not keep all others waiting
                LOG.exception("a bug in signoff, or a surprise from a library", run=found.run_id, gate=found.gate_id)
    return done


def _each(machinery: Machinery, lister: Lister, now: datetime) -> Iterator[DueGate]:
    """What is due, a page at a time; past what could not be done, until the worker is told to stop."""
    after: DueGate | None = None
    while not machinery.stopping.is_set():
        with machinery.database.begin() as tx:
            page = lister(tx, now=now, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]


def _act(tx: Transaction, found: DueGate, now: datetime, at: datetime) -> tuple[Due, ...]:
    """Do what is due about one gate, as it is now that its run is held."""
    run = runs.lock_run(tx, found.run_id)
    gate = gates.get_gate(tx, found.gate_id)
    if gate.attempt != run.attempt.number:
        run = runs.get_run(tx, run.id, attempt=gate.attempt)
    asked = due(gate, now)
    for what in asked:
        gate = _DO[what](tx, run, gate, at)
    return asked


def _expire(tx: Transaction, run: Run, gate: Gate, at: datetime) -> Gate:
    """Nobody answered: the gate, its step and the run end, and nothing is trained again."""
    by = said(gate.expires_at or at, gate.opened_at)
    expired = event(Event.GATE_EXPIRED, run, at, **_about(gate))
    ended = event(Event.RUN_EXPIRED, run, at, step=gate.step)
    gate = gates.set_gate(tx, gate, status=GateStatus.EXPIRED, at=at, audit=[expired])
    run = runs.set_step(tx, run, gate.step, status=StepStatus.EXPIRED, at=at, audit=[], note=f"not decided by {by}")
    runs.set_run(tx, run, status=RunStatus.EXPIRED, at=at, audit=[ended], error=f"{gate.step} was not decided by {by}")
    wake_run(tx, run.id)
    return gate


def _escalate(tx: Transaction, run: Run, gate: Gate, at: datetime) -> Gate:
    """Further people may approve from now on; with what was said already that may even suffice."""
    gate = replace(gate, escalated_at=at)
    asked = event(Event.GATE_ESCALATED, run, at, **_about(gate), escalate_to=list(gate.escalate_to))
    set_escalated(tx, gate, audit=[asked])
    about = _about(gate)
    return settle(tx, run, gate, at=at, closed=lambda s: event(Event.GATE_CLOSED, run, at, **about, status=s.value))


def _remind(tx: Transaction, run: Run, gate: Gate, at: datetime) -> Gate:
    """Those who are missing are reminded, once however many times were missed."""
    if gate.status is not GateStatus.OPEN:
        return gate
    former = gate.remind_at
    gate = replace(gate, reminders=gate.reminders + 1, remind_at=next_reminder(gate, at))
    decided = gates.list_decisions(tx, [gate.id])[gate.id]
    evaluation = evaluate(gate, decided, people.get_directory(tx), earlier=earlier_approvals(tx, run, gate))
    missing = sorted({name for state in evaluation.rules if state.missing for name in state.candidates})
    told = event(Event.GATE_REMINDED, run, at, **_about(gate), missing=missing, reminder=gate.reminders)
    set_reminded(tx, gate, former=former, audit=[told])
    return gate


def _lapse(tx: Transaction, run: Run, gate: Gate, at: datetime) -> Gate:
    """The approval stands no longer; it is asked for again where something rests on it."""
    review = start_reapproval(tx, run, gate, at)
    asks = f"; run {review} asks for it anew" if review is not None else ""
    gate = replace(gate, lapsed_at=at, note=f"the approval has expired{asks}")
    until = gate.valid_until.isoformat() if gate.valid_until is not None else None
    expired = event(Event.APPROVAL_EXPIRED, run, at, **_about(gate), valid_until=until, reapproval=review)
    set_lapsed(tx, gate, audit=[expired])
    wake_run(tx, run.id)
    return gate


_DO: dict[Due, Callable[[Transaction, Run, Gate, datetime], Gate]] = {
    Due.EXPIRE: _expire,
    Due.ESCALATE: _escalate,
    Due.REMIND: _remind,
    Due.LAPSE: _lapse,
}


def _about(gate: Gate) -> dict[str, str]:
    return {"step": gate.step, "gate": gate.id, "digest": gate.digest}
