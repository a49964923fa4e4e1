"""Reads: everything that the API and the pages show, put together from the rows. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from signoff.domain.absence import Delegation
from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import GROUP_PREFIX, Actor, Directory
from signoff.domain.audit import AuditEvent
from signoff.domain.environment import Deployment, DeploymentStatus
from signoff.domain.evidence import Evidence
from signoff.domain.explanation import Explanation, explain, sentence
from signoff.domain.feedback import label, unanswered
from signoff.domain.gate import Decision, Gate, evaluate
from signoff.domain.pipeline import DeploymentStep
from signoff.domain.run import Attempt, Run, StepStatus
from signoff.domain.standing import Room, Standing, decision_of, room_of, standing
from signoff.domain.status import ModelStatus, model_status
from signoff.engine.gates import earlier_approvals
from signoff.service.decisions import GateView, find_gate
from signoff.service.deployed import deployed as with_warnings
from signoff.service.desk import Desk
from signoff.service.privacy import find_run_id, hidden_models, veiled
from signoff.store import absence, deployments, evidence, gates, people, pipelines, revocations, runs
from signoff.store import audit as audit_log
from signoff.store.database import Transaction


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as lists show it."""

    run: Run
    model_status: ModelStatus
    waits_for: str | None
    can_unblock: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with everything about it."""

    line: RunLine
    source: str
    attempts: tuple[Attempt, ...]
    gates: tuple[GateView, ...]
    evidence: dict[str, Evidence]
    comments: tuple[dict[str, object], ...]
    deployments: tuple[Deployment, ...]


@dataclass(frozen=True, slots=True)
class InboxLine:
    """A gate that waits, and where the reader stands with it."""

    line: RunLine
    gate: Gate
    sentence: str
    standing: Standing


def get_run(desk: Desk, actor: Actor, run_id: str) -> RunView:
    """The run that `run_id` (an id, a unique prefix, or ``last``) names."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        hall = _hall(desk, tx)
        attempts = runs.list_attempts(tx, run.id)
        found = gates.list_gates(tx, [run.id])
        decided = gates.list_decisions(tx, [gate.id for gate in found])
        digests = [s.evidence_digest for a in attempts for s in a.steps if s.evidence_digest]
        deployed = deployments.list_deployments(tx, run_ids=[run.id])
        return RunView(
            line=_marked(tx, [_line(tx, run, hall, decided, deployed)])[0],
            source=pipelines.get_pipeline_source(tx, run.pipeline.digest),
            attempts=tuple(attempts),
            gates=tuple(_gate_view(tx, run, gate, decided[gate.id], hall.people) for gate in found),
            evidence=evidence.list_evidence(tx, digests),
            comments=tuple(evidence.list_comments(tx, run.id)),
            deployments=tuple(with_warnings(tx, deployed)),
        )


def list_runs(
    desk: Desk,
    actor: Actor,
    *,
    states: Sequence[str] = (),
    model: str | None = None,
    submitter: str | None = None,
    waiting_on: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[RunLine]:
    """Runs, newest first. `waiting_on` is a person: the runs whose open gate they can decide about now."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        hall = _hall(desk, tx)
        ids = None
        if waiting_on is not None:
            waiting = _gates_of(tx, waiting_on, hall)
            decided = gates.list_decisions(tx, [gate.id for gate in waiting])
            ids = [g.run_id for g in waiting if standing(hall.room(g), waiting_on, decided[g.id]).can_decide]
        found = runs.list_runs(
            tx,
            statuses=states,
            model=model,
            submitter=submitter,
            run_ids=ids,
            before=before,
            hidden=hidden_models(tx, actor),
            limit=limit,
        )
        return _lines(tx, found, hall)


def list_inbox(desk: Desk, actor: Actor, *, limit: int = 100) -> list[InboxLine]:
    """The gates that wait for the reader first, then those of their own runs that wait for others; oldest first.

    At most `limit` of each: of those that wait for the reader the oldest, whom they have kept waiting longest.
    """
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        hall = _hall(desk, tx)
        named = _gates_of(tx, actor.name, hall)
        known = gates.list_decisions(tx, [gate.id for gate in named])
        named.sort(key=lambda gate: (decision_of(actor.name, known[gate.id]) is not None, gate.opened_at))
        waiting = {gate.id: gate for gate in named[:limit]}
        own = runs.list_runs(tx, statuses=["waiting"], submitter=actor.name, limit=limit)
        waiting |= {run.open_gate.id: run.open_gate for run in own if run.open_gate is not None}
        wanted = [gate.run_id for gate in waiting.values()]
        found = runs.list_runs(tx, run_ids=wanted, hidden=hidden_models(tx, actor), limit=len(wanted))
        lines = {line.run.id: line for line in _lines(tx, found, hall)}
        decided = gates.list_decisions(tx, list(waiting))
        items = []
        for gate in waiting.values():
            if gate.run_id not in lines:
                continue
            line = lines[gate.run_id]
            view = _gate_view(tx, line.run, gate, decided[gate.id], hall.people)
            room = hall.room(gate)
            words = sentence(room, view.evaluation)
            items.append(InboxLine(line, gate, words, standing(room, actor.name, decided[gate.id])))
    return sorted(items, key=lambda item: (not item.standing.can_decide, item.gate.opened_at))


def get_gate(desk: Desk, actor: Actor, run_id: str, step: str | None) -> GateView:
    """The newest gate of `step` in the run's present attempt; without a step the open one."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        gate = find_gate(run, step)
        decided = gates.list_decisions(tx, [gate.id])[gate.id]
        return _gate_view(tx, run, gate, decided, people.get_directory(tx))


def explain_gate(
    desk: Desk, actor: Actor, run_id: str, step: str | None, *, person: str | None = None
) -> tuple[Gate, Explanation]:
    """What the gate waits for, who can give it, and why others cannot; `person` is told about in any case."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        gate = find_gate(run, step)
        hall = _hall(desk, tx)
        view = _gate_view(tx, run, gate, gates.list_decisions(tx, [gate.id])[gate.id], hall.people)
        also = [person] if person is not None else []
        return gate, explain(hall.room(gate), view.evaluation, view.decisions, *also)


def list_audit(
    desk: Desk,
    actor: Actor,
    *,
    run_id: str | None = None,
    model: str | None = None,
    type: str | None = None,  # noqa: A002 - the field's name
    by: str | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[AuditEvent]:
    """Audit events, newest first; of one run for everybody who may read it, of all for auditors and administrators."""
    with desk.database.read() as tx:
        if run_id is None:
            authorize(actor, Do.READ_AUDIT)
        else:
            run_id = find_run_id(tx, actor, run_id)
            authorize(actor, Do.READ, Resource(runs.get_run(tx, run_id).model))
        found = audit_log.list_events(
            tx,
            run_id=run_id,
            model=model,
            type=type,
            actor=by,
            after=after,
            newest_first=True,
            hidden=hidden_models(tx, actor),
            limit=limit,
        )
        return [veiled(actor, event) for event in found]


def find_run(desk: Desk, actor: Actor, run_id: str) -> str:
    """The whole id of the run that `run_id` (an id, a unique prefix, or ``last``) names now."""
    with desk.database.begin() as tx:
        authorize(actor, Do.READ)
        return find_run_id(tx, actor, run_id)


def newest_event(desk: Desk, actor: Actor, *, run_id: str | None = None) -> int:
    """The index of the newest audit event, of the run `run_id` where one is named; 0 where there is none."""
    if run_id is not None:
        return next((event.index or 0 for event in list_audit(desk, actor, run_id=run_id, limit=1)), 0)
    authorize(actor, Do.READ)
    with desk.database.begin() as tx:
        return audit_log.find_newest(tx)


def settled_event(desk: Desk, actor: Actor) -> int:
    """The index of the audit event up to which a page that is read from now on shows everything."""
    authorize(actor, Do.READ)
    with desk.database.begin() as tx:
        return audit_log.find_settled(tx)


def follow_run(desk: Desk, actor: Actor, run_id: str, *, after: int) -> list[AuditEvent]:
    """The run's events since index `after`, oldest first."""
    with desk.database.read() as tx:
        authorize(actor, Do.READ)
        found = find_run_id(tx, actor, run_id)
        return audit_log.list_events(tx, run_id=found, after=after, limit=200)


@dataclass(frozen=True, slots=True)
class _Hall:
    """Everybody, and who is away now: what every gate of a list is looked at with."""

    people: Directory
    away: tuple[Delegation, ...]

    def room(self, gate: Gate) -> Room:
        return room_of(gate, self.people, self.away)


def _hall(desk: Desk, tx: Transaction) -> _Hall:
    return _Hall(people.get_directory(tx), tuple(absence.list_present(tx, desk.clock())))


def _gates_of(tx: Transaction, person: str, hall: _Hall) -> list[Gate]:
    """The open gates whose rules name `person`, somebody they stand in for, or a group of either."""
    names = [person, *(found.person for found in hall.away if found.delegate == person)]
    known = [found for name in names if (found := hall.people.people.get(name)) is not None]
    groups = {GROUP_PREFIX + group for found in known for group in found.groups}
    return gates.list_open_gates(tx, references=[*names, *sorted(groups)], limit=1000)


def _gate_view(tx: Transaction, run: Run, gate: Gate, decided: Sequence[Decision], directory: Directory) -> GateView:
    earlier = earlier_approvals(tx, run, gate) if gate.attempt == run.attempt.number else []
    return GateView(gate, evaluate(gate, decided, directory, earlier=earlier), tuple(decided))


def _lines(tx: Transaction, found: Sequence[Run], hall: _Hall) -> list[RunLine]:
    open_gates = [run.open_gate.id for run in found if run.open_gate is not None]
    decided = gates.list_decisions(tx, open_gates) if open_gates else {}
    deployed = deployments.list_deployments(tx, run_ids=[run.id for run in found]) if found else []
    lines = [_line(tx, run, hall, decided, [d for d in deployed if d.run_id == run.id]) for run in found]
    return _marked(tx, lines)


def _marked(tx: Transaction, lines: Sequence[RunLine]) -> list[RunLine]:
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


def _line(
    tx: Transaction, run: Run, hall: _Hall, decided: dict[str, list[Decision]], deployed: Sequence[Deployment]
) -> RunLine:
    newest = deployed[0].status if deployed else None
    live = DeploymentStatus.LIVE if any(d.status is DeploymentStatus.LIVE for d in deployed) else newest
    gate = run.open_gate
    waits_for: str | None = None
    can_unblock: tuple[str, ...] = ()
    if gate is not None:
        evaluation = _gate_view(tx, run, gate, decided.get(gate.id, []), hall.people).evaluation
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
