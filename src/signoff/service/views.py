"""Reads: everything that the API and the pages show, put together from the rows. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import AuditEvent
from signoff.domain.environment import Deployment
from signoff.domain.evidence import Evidence
from signoff.domain.explanation import Explanation, explain
from signoff.domain.gate import Gate
from signoff.domain.run import Attempt, Run
from signoff.domain.standing import standing
from signoff.service.decisions import GateView, find_gate
from signoff.service.deployed import deployed as with_warnings
from signoff.service.desk import Desk
from signoff.service.lines import Hall, RunLine, gate_view, hall_of, line_of, lines_of, marked
from signoff.service.privacy import find_run_id, hidden_models, veiled
from signoff.store import audit as audit_log
from signoff.store import deployments, evidence, gates, people, pipelines, runs
from signoff.store.database import Transaction

_MOST_LOOKED_AT = 1000


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


def get_run(desk: Desk, actor: Actor, run_id: str) -> RunView:
    """The run that `run_id` (an id, a unique prefix, or ``last``) names."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        return view_of(tx, run, hall_of(tx, desk.clock()))


def view_of(tx: Transaction, run: Run, hall: Hall) -> RunView:
    """Everything about `run`, read in the same transaction as it."""
    attempts = runs.list_attempts(tx, run.id)
    found = gates.list_gates(tx, [run.id])
    decided = gates.list_decisions(tx, [gate.id for gate in found])
    digests = [s.evidence_digest for a in attempts for s in a.steps if s.evidence_digest]
    deployed = deployments.list_deployments(tx, run_ids=[run.id])
    return RunView(
        line=marked(tx, [line_of(tx, run, hall, decided, deployed)])[0],
        source=pipelines.get_pipeline_source(tx, run.pipeline.digest),
        attempts=tuple(attempts),
        gates=tuple(gate_view(tx, run, gate, decided[gate.id], hall.people) for gate in found),
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
        hall = hall_of(tx, desk.clock())
        ids = None
        if waiting_on is not None:
            references = hall.references(waiting_on)
            waiting = gates.list_open_gates(tx, references=references, limit=_MOST_LOOKED_AT)
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
        return lines_of(tx, found, hall)


def get_gate(desk: Desk, actor: Actor, run_id: str, step: str | None) -> GateView:
    """The newest gate of `step` in the run's present attempt; without a step the open one."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        gate = find_gate(run, step)
        decided = gates.list_decisions(tx, [gate.id])[gate.id]
        return gate_view(tx, run, gate, decided, people.get_directory(tx))


def explain_gate(
    desk: Desk, actor: Actor, run_id: str, step: str | None, *, person: str | None = None
) -> tuple[Gate, Explanation]:
    """What the gate waits for, who can give it, and why others cannot; `person` is told about in any case."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        gate = find_gate(run, step)
        hall = hall_of(tx, desk.clock())
        view = gate_view(tx, run, gate, gates.list_decisions(tx, [gate.id])[gate.id], hall.people)
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
    authorize(actor, Do.READ)
    with desk.database.begin() as tx:
        return audit_log.find_newest(tx, find_run_id(tx, actor, run_id) if run_id is not None else None)


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
