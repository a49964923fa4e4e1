"""Routes about absence: who stands in for whom."""

from __future__ import annotations

from datetime import UTC

from fastapi import APIRouter

from signoff.api.request import ActorOf, DeskOf
from signoff.domain.absence import Delegation
from signoff.service import absence
from signoff.service.desk import Desk
from signoff.wire.absence import DelegationBody, DelegationRequest
from signoff.wire.body import Page

router = APIRouter(tags=["absence"])


@router.get("/delegations")
def list_delegations(desk: DeskOf, actor: ActorOf, *, over: bool = False) -> Page[DelegationBody]:
    """The delegations that hold or will hold; with `over` those of the past, too."""
    found = absence.list_delegations(desk, actor, all_of_them=over)
    return Page(items=[_body(desk, delegation) for delegation in found])


@router.post("/delegations", status_code=201)
def add_delegation(body: DelegationRequest, desk: DeskOf, actor: ActorOf) -> DelegationBody:
    """Let somebody decide for the caller while they are away."""
    since, until = body.since.astimezone(UTC), body.until.astimezone(UTC)
    made = absence.add_delegation(desk, actor, body.delegate, since=since, until=until, person=body.person)
    return _body(desk, made)


@router.delete("/delegations/{delegation_id}")
def end_delegation(delegation_id: str, desk: DeskOf, actor: ActorOf) -> DelegationBody:
    """End a delegation now."""
    return _body(desk, absence.end_delegation(desk, actor, delegation_id))


def _body(desk: Desk, delegation: Delegation) -> DelegationBody:
    return DelegationBody(
        id=delegation.id,
        person=delegation.person,
        delegate=delegation.delegate,
        since=delegation.since,
        until=delegation.until,
        by=delegation.by,
        ended_at=delegation.ended_at,
        is_present=delegation.covers(desk.clock()),
    )
