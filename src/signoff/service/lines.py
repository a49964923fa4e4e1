"""Runs as lists and pages show them: where each stands, what it waits for, and who can give that.

Imported by the service's reads only. Everything is put together in a transaction that the caller opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from signoff.domain.absence import Delegation
from signoff.domain.actor import GROUP_PREFIX, Directory
from signoff.domain.environment import Deployment, DeploymentStatus
from signoff.domain.explanation import sentence
from signoff.domain.feedback import label, unanswered
from signoff.domain.gate import Decision, Gate, evaluate
from signoff.domain.pipeline import DeploymentStep
from signoff.domain.run import Run, StepStatus
from signoff.domain.standing import Room, room_of
from signoff.domain.status import ModelStatus, model_status
from signoff.engine.gates import earlier_approvals
from signoff.service.decisions import GateView
from signoff.store import absence, deployments, gates, people, revocations
from signoff.store.database import Transaction


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as lists show it."""

    run: Run
    model_status: ModelStatus
    waits_for: str | None
    can_unblock: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hall:
    """Everybody, and who is away now: what every gate of a list is looked at with."""

    people: Directory
    away: tuple[Delegation, ...]
    _rooms: dict[str, Room] = field(default_factory=dict)

    def room(self, gate: Gate) -> Room:
        """Everybody around `gate`, put together once."""
        if gate.id not in self._rooms:
            self._rooms[gate.id] = room_of(gate, self.people, self.away)
        return self._rooms[gate.id]

    def references(self, person: str) -> list[str]:
        """How rules name `person`, whoever they stand in for now, and the groups of these."""
        names = [person, *(found.person for found in self.away if found.delegate == person)]
        known = [found for name in names if (found := self.people.people.get(name)) is not None]
        groups = {GROUP_PREFIX + group for found in known for group in found.groups}
        return [*names, *sorted(groups)]


def hall_of(tx: Transaction, now: datetime) -> Hall:
    """The hall as it is now."""
    return Hall(people.get_directory(tx), tuple(absence.list_present(tx, now)))


def gate_view(tx: Transaction, run: Run, gate: Gate, decided: Sequence[Decision], directory: Directory) -> GateView:
    """The gate with the decisions about it, and where it stands by them."""
    earlier = earlier_approvals(tx, run, gate) if gate.attempt == run.attempt.number else []
    return GateView(gate, evaluate(gate, decided, directory, earlier=earlier), tuple(decided))


def lines_of(
    tx: Transaction, found: Sequence[Run], hall: Hall, decided: dict[str, list[Decision]] | None = None
) -> list[RunLine]:
    """A line for each run, in the same order. `decided` are the decisions about their open gates, where known."""
    if decided is None:
        open_gates = [run.open_gate.id for run in found if run.open_gate is not None]
        decided = gates.list_decisions(tx, open_gates) if open_gates else {}
    deployed = deployments.list_deployments(tx, run_ids=[run.id for run in found]) if found else []
    lines = [line_of(tx, run, hall, decided, [d for d in deployed if d.run_id == run.id]) for run in found]
    return marked(tx, lines)


def marked(tx: Transaction, lines: Sequence[RunLine]) -> list[RunLine]:
    """The lines, those of revoked versions saying so."""
    ended = [line.run.model for line in lines if line.run.status == "succeeded"]
    revoked = revocations.list_in_force(tx, ended)
    return [
        replace(line, model_status=model_status(line.run, is_revoked=True))
        if line.run.attempt.version is not None
        and line.run.status == "succeeded"
        and (line.run.model, line.run.attempt.version.version) in revoked
        else line
        for line in lines
    ]


def line_of(
    tx: Transaction, run: Run, hall: Hall, decided: dict[str, list[Decision]], deployed: Sequence[Deployment]
) -> RunLine:
    """One run's line; `deployed` are its deployments, newest first. Revocations are for `marked` to say."""
    newest = deployed[0].status if deployed else None
    live = DeploymentStatus.LIVE if any(d.status is DeploymentStatus.LIVE for d in deployed) else newest
    gate = run.open_gate
    waits_for: str | None = None
    can_unblock: tuple[str, ...] = ()
    if gate is not None:
        evaluation = gate_view(tx, run, gate, decided.get(gate.id, []), hall.people).evaluation
        waits_for = sentence(hall.room(gate), evaluation)
        can_unblock = tuple(sorted({name for state in evaluation.rules if state.missing for name in state.candidates}))
    elif run.status == "changes_requested":
        waits_for = _wants_of_submitter(run)
        can_unblock = (run.submitter,)
    elif run.status == "running":
        waits_for = _turn(run)
    elif run.status == "errored":
        waits_for = f"`signoff retry {run.id}` once the cause is mended"
        can_unblock = (run.submitter,)
    standing_now = model_status(run, live)
    lapsed = next((gate for gate in run.gates if gate.has_lapsed), None)
    if standing_now is ModelStatus.EXPIRED and lapsed is not None:
        waits_for = f"a new approval: {lapsed.note}"
    return RunLine(run, standing_now, waits_for, can_unblock)


def _wants_of_submitter(run: Run) -> str:
    """What a run in `changes_requested` waits for: answers to reasons, or the next version."""
    missing = unanswered(run.attempt)
    if not missing:
        return f"the next version from {run.submitter}: `signoff resubmit {run.id} MODEL`"
    flags = " ".join(f'--answer {asked.id}="..."' for asked in missing)
    told = ", ".join(label(asked) for asked in missing)
    return f"what {run.submitter} answers to {told}: `signoff resubmit {run.id} {flags}`"


def _turn(run: Run) -> str | None:
    """What the next deployment of the run waits for, as the engine noted it: its turn, or the end of a freeze."""
    for step in run.attempt.steps:
        if step.status in {StepStatus.SUCCEEDED, StepStatus.SKIPPED}:
            continue
        is_deployment = isinstance(run.pipeline.step(step.name), DeploymentStep)
        if not is_deployment or step.status is not StepStatus.PENDING or not step.note:
            return None
        return f"{step.name} {step.note}." if step.note.startswith("waits") else f"{step.note}."
    return None
