"""Closing gates: by a decision, or because something else changed and what was decided suffices by now.

Everybody who closes a gate at which a run waits does so here. Deciding looks at one gate, at the moment of the
decision. When somebody comes back into a group, what was decided before may suffice by itself; the next minute tick
closes such gates. It looks only after a change of people, and only at gates about which somebody has decided. What a
change of environments or an escalation lets close is closed by that change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from signoff.domain.audit import AuditEvent, Event
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.domain.gate import Gate, GateStatus, evaluate
from signoff.domain.run import Run, RunStatus
from signoff.engine.events import event
from signoff.engine.gates import earlier_approvals
from signoff.engine.jobs import wake_run
from signoff.engine.machinery import LOG, Machinery
from signoff.store import documents, gates, people, runs
from signoff.store.database import Transaction
from signoff.store.waiting import list_decided_gates

_SETTLED = "settled"
_PAGE = 500


def settle_gates(machinery: Machinery) -> int:
    """Close what can close since people changed; returns how many gates did."""
    with machinery.database.begin() as tx:
        seen = people.find_digest(tx)
        if seen is None or documents.find_digest(tx, _SETTLED) == seen:
            return 0
    closed = 0
    after = ""
    while True:
        with machinery.database.begin() as tx:
            page = list_decided_gates(tx, after=after, limit=_PAGE)
        for gate_id, run_id in page:
            closed += _settle_one(machinery, gate_id, run_id)
        if len(page) < _PAGE or machinery.stopping.is_set():
            break
        after = page[-1][0]
    with machinery.database.begin() as tx:
        documents.set_document(tx, _SETTLED, {}, at=machinery.clock(), audit=[], digest=seen)
    return closed


def _settle_one(machinery: Machinery, gate_id: str, run_id: str) -> bool:
    try:
        with machinery.database.begin() as tx:
            run = runs.lock_run(tx, run_id)
            gate = gates.get_gate(tx, gate_id)
            if gate.status is not GateStatus.OPEN or gate.attempt != run.attempt.number:
                return False
            at = machinery.clock()
            return settle(tx, run, gate, at=at, closed=_by_people(run, gate, at)).status is not GateStatus.OPEN
    except UnavailableError:
        raise
    except SignoffError as error:
        LOG.warning("a gate could not be looked at again; the next change tries it", run=run_id, why=str(error))
        return False


def _by_people(run: Run, gate: Gate, at: datetime) -> Callable[[GateStatus], AuditEvent]:
    about = {"step": gate.step, "gate": gate.id, "digest": gate.digest}
    why = "people changed, and what was decided suffices now"
    return lambda status: event(Event.GATE_CLOSED, run, at, **about, status=status.value, why=why)


def settle(tx: Transaction, run: Run, gate: Gate, *, at: datetime, closed: Callable[[GateStatus], AuditEvent]) -> Gate:
    """Close the open `gate`, whose run is held, where what was decided suffices by now; returns it as it is then.

    `closed` makes the audit event of its closing: who or what brought it about.
    """
    decided = gates.list_decisions(tx, [gate.id])[gate.id]
    earlier = earlier_approvals(tx, run, gate)
    status = evaluate(gate, decided, people.get_directory(tx), earlier=earlier).status
    if status is GateStatus.OPEN:
        return gate
    return close_gate(tx, run, gate, status, at=at, audit=[closed(status)])


def close_gate(
    tx: Transaction, run: Run, gate: Gate, status: GateStatus, *, at: datetime, audit: Sequence[AuditEvent]
) -> Gate:
    """Close `gate`, at which its run waits, and wake the run; returns the gate as it is then."""
    gate = gates.set_gate(tx, gate, status=status, at=at, audit=audit)
    runs.set_run(tx, run, status=RunStatus.RUNNING, at=at, audit=[])
    wake_run(tx, run.id)
    return gate
