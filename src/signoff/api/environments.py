"""Routes about environments: what they demand, applying others, and their history."""

from __future__ import annotations

from fastapi import APIRouter

from signoff.api import render
from signoff.api.problems import place_of
from signoff.api.request import ActorOf, DeskOf
from signoff.service import catalogue, environments
from signoff.service.environments import Applied
from signoff.wire.body import Page
from signoff.wire.catalogue import EnvironmentBody
from signoff.wire.environments import AppliedBody, EnvironmentRequest, EnvironmentsRequest, EnvironmentVersionBody

router = APIRouter(tags=["environments"])


@router.get("/environments")
def list_environments(desk: DeskOf, actor: ActorOf) -> Page[EnvironmentBody]:
    """Every environment with its rules and what is live in it."""
    now = desk.clock()
    return Page(items=[render.environment_body(*found, now) for found in catalogue.list_environments(desk, actor)])


@router.put("/environments")
def apply_environments(body: EnvironmentsRequest, desk: DeskOf, actor: ActorOf) -> AppliedBody:
    """Make the environments of a whole file the ones there are."""
    applied = environments.apply_environments_file(desk, actor, body.document, filename=body.filename, force=body.force)
    return _body(applied)


@router.get("/environments/{name}")
def get_environment(name: str, desk: DeskOf, actor: ActorOf) -> EnvironmentBody:
    """One environment."""
    return render.environment_body(*catalogue.get_environment(desk, actor, name), desk.clock())


@router.put("/environments/{name}")
def set_environment(name: str, body: EnvironmentRequest, desk: DeskOf, actor: ActorOf) -> AppliedBody:
    """Add an environment, or put another in its place."""
    return _body(environments.set_environment(desk, actor, name, body.environment, force=body.force))


@router.get("/environments/{name}/history")
def list_history(name: str, desk: DeskOf, actor: ActorOf) -> Page[EnvironmentVersionBody]:
    """Who changed what about an environment, newest first."""
    found = environments.list_history(desk, actor, name)
    return Page(items=[EnvironmentVersionBody.model_validate(v) for v in found])


def _body(applied: Applied) -> AppliedBody:
    return AppliedBody(
        changes=list(applied.changes),
        gates=list(applied.gates),
        despite=list(applied.despite),
        warnings=[place_of(problem) for problem in applied.warnings],
    )
