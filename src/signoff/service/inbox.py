"""The inbox: what waits for whoever asks, then what is theirs and waits for others. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor
from signoff.domain.gate import Gate
from signoff.domain.standing import Standing, standing
from signoff.service.desk import Desk
from signoff.service.lines import RunLine, hall_of, lines_of
from signoff.service.privacy import hidden_models
from signoff.store import gates, runs


@dataclass(frozen=True, slots=True)
class InboxLine:
    """A gate that waits, and where the reader stands with it."""

    line: RunLine
    gate: Gate
    sentence: str
    standing: Standing


def list_inbox(desk: Desk, actor: Actor, *, limit: int = 100) -> list[InboxLine]:
    """The gates that wait for the reader first, then those of their own runs that wait for others; oldest first.

    At most `limit` of each: of those that wait for the reader the oldest, whom they have kept waiting longest.
    """
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        hall = hall_of(tx, desk.clock())
        hidden = hidden_models(tx, actor)
        references = hall.references(actor.name)
        named = gates.list_open_gates(tx, references=references, undecided_by=actor.name, limit=limit)
        if len(named) < limit:
            named += gates.list_open_gates(tx, references=references, decided_by=actor.name, limit=limit - len(named))
        own = runs.list_runs(tx, statuses=["waiting"], submitter=actor.name, hidden=hidden, limit=limit)
        mine = {run.id for run in own}
        others = [gate.run_id for gate in named if gate.run_id not in mine]
        found = [*own, *(runs.list_runs(tx, run_ids=others, hidden=hidden, limit=len(others)) if others else ())]
        waiting = {gate.id: gate for gate in named}
        waiting |= {run.open_gate.id: run.open_gate for run in own if run.open_gate is not None}
        decided = gates.list_decisions(tx, list(waiting)) if waiting else {}
        lines = {line.run.id: line for line in lines_of(tx, found, hall, decided)}
        items = [
            _item(lines[gate.run_id], gate, standing(hall.room(gate), actor.name, decided[gate.id]))
            for gate in waiting.values()
            if gate.run_id in lines
        ]
    return sorted(items, key=lambda item: (not item.standing.can_decide, item.gate.opened_at))


def _item(line: RunLine, gate: Gate, standing: Standing) -> InboxLine:
    return InboxLine(line, gate, line.waits_for or "", standing)
