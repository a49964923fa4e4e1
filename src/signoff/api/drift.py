"""Routes about what runs beside what was signed off, and taking in what ran before signoff came."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from signoff.api import render
from signoff.api.request import ActorOf, DeskOf
from signoff.service import adopting, catalogue, drifts
from signoff.wire.body import Page
from signoff.wire.drift import AdoptRequest, DriftBody
from signoff.wire.runs import DeploymentBody

router = APIRouter(tags=["deployments"])


@router.get("/drifts")
def list_drifts(
    desk: DeskOf,
    actor: ActorOf,
    environment: str | None = None,
    model: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Page[DriftBody]:
    """What is found now where something else was signed off, or nothing; oldest first."""
    found = drifts.list_drifts(desk, actor, environment=environment, model=model, limit=limit)
    return Page(items=[DriftBody.model_validate(one) for one in found])


@router.post("/environments/{name}/models/{model}/adopt", status_code=201)
def adopt(name: str, model: str, body: AdoptRequest, desk: DeskOf, actor: ActorOf) -> DeploymentBody:
    """Take in what ran there before signoff came: recorded as adopted, not approved, with a review that is owed."""
    deployment_id = adopting.adopt_version(desk, actor, name, model, why=body.why)
    return render.deployment_body(catalogue.get_deployment(desk, actor, deployment_id))
