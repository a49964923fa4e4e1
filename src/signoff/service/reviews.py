"""The review of a gate: everything that a decision rests on, as it is at one moment. Reads only.

One transaction for all of it: who decides about what they see must not see half of it before a change and half after.
"""

from __future__ import annotations

from dataclasses import dataclass

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.explanation import Explanation, explain
from signoff.domain.gate import Gate
from signoff.domain.run import Attempt
from signoff.service.changes import Changed, comparison_of, what_changed
from signoff.service.decisions import GateView, find_gate
from signoff.service.desk import Desk
from signoff.service.lines import hall_of
from signoff.service.privacy import find_run_id
from signoff.service.views import RunView, view_of
from signoff.store import audit, runs


@dataclass(frozen=True, slots=True)
class Review:
    """A gate and its run, what it waits for, what changed, everybody's names, and the run's newest event."""

    view: RunView
    gate: Gate
    gate_view: GateView
    attempt: Attempt
    explanation: Explanation
    changed: Changed
    people: frozenset[str]
    newest: int


def get_review(desk: Desk, actor: Actor, run_id: str, step: str) -> Review:
    """The newest gate of `step` in the run's present attempt, and what a decision about it rests on.

    Raises:
        NotFoundError: no such run or step, as far as the actor may know.
        ConflictError: the step has not opened its gate yet.
    """
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        gate = find_gate(run, step)
        newest = audit.find_newest(tx, run.id)
        hall = hall_of(tx, desk.clock())
        view = view_of(tx, run, hall)
        known = next(found for found in view.gates if found.gate.id == gate.id)
        explanation = explain(hall.room(gate), known.evaluation, known.decisions, actor.name)
        compared = comparison_of(tx, run, view.attempts, gate.attempt)
    return Review(
        view=view,
        gate=gate,
        gate_view=known,
        attempt=next(a for a in view.attempts if a.number == gate.attempt),
        explanation=explanation,
        changed=what_changed(compared, desk.blobs),
        people=frozenset(hall.people.people),
        newest=newest,
    )
