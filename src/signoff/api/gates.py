"""Routes about gates: read, explain, decide, withdraw; and the inbox."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from signoff.api import render
from signoff.api.request import ActorOf, DeskOf
from signoff.domain.gate import Reason, ReasonKind, Verdict
from signoff.service import decisions, inbox, views
from signoff.wire.body import Page
from signoff.wire.catalogue import InboxItem
from signoff.wire.gates import DecisionRequest, ExplanationBody, GateBody

router = APIRouter(tags=["gates"])


@router.get("/runs/{run_id}/gates/{step}")
def get_gate(run_id: str, step: str, desk: DeskOf, actor: ActorOf) -> GateBody:
    """The newest gate of `step` in the run's present attempt."""
    return render.gate_body(views.get_gate(desk, actor, run_id, step))


@router.post("/runs/{run_id}/gates/{step}/decisions")
def decide_gate(run_id: str, step: str, body: DecisionRequest, desk: DeskOf, actor: ActorOf) -> GateBody:
    """Approve, request changes or reject, on exactly the subject that `digest` names."""
    said = decisions.Verdicts(
        verdict=Verdict(body.verdict),
        digest=body.digest,
        comment=body.comment,
        reasons=tuple(Reason(ReasonKind(reason.kind), reason.subject) for reason in body.reasons),
        ticked=tuple(body.ticked),
        on_behalf_of=body.on_behalf_of,
    )
    return render.gate_body(decisions.decide_gate(desk, actor, run_id, step, said))


@router.delete("/runs/{run_id}/gates/{step}/decisions/mine")
def withdraw_decision(run_id: str, step: str, desk: DeskOf, actor: ActorOf) -> GateBody:
    """Take one's own decision back while the gate is open."""
    decided = decisions.withdraw_decision(desk, actor, run_id, step)
    return render.gate_body(views.get_gate(desk, actor, decided, step))


@router.get("/runs/{run_id}/gates/{step}/explanation")
def explain_gate(
    run_id: str, step: str, desk: DeskOf, actor: ActorOf, person: Annotated[str | None, Query(max_length=200)] = None
) -> ExplanationBody:
    """What the gate waits for, who can give it, and why others cannot; of `person` in any case."""
    return render.explanation_body(*views.explain_gate(desk, actor, run_id, step, person=person))


@router.get("/inbox")
def list_inbox(desk: DeskOf, actor: ActorOf) -> Page[InboxItem]:
    """The gates that wait for the caller, then those of their own runs that wait for others."""
    return Page(items=[render.inbox_item(item, desk.url) for item in inbox.list_inbox(desk, actor)])
