"""Routes about models, deployments, pipelines, the audit log and the caller."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from signoff.api import render
from signoff.api.problems import place_of
from signoff.api.request import ActorOf, DeskOf
from signoff.domain.actor import Credential
from signoff.service import catalogue, sessions, views
from signoff.wire.body import Body, Page, Place
from signoff.wire.catalogue import AuditBody, MeBody, ModelBody, VersionBody
from signoff.wire.runs import DeploymentBody, ValidateRequest

router = APIRouter(tags=["catalogue"])
Limit = Annotated[int, Query(ge=1, le=200)]


class ValidationBody(Body):
    """Every problem of a pipeline file; `text` is how the command line prints them."""

    is_valid: bool
    problems: list[Place] = Field(default_factory=list)
    text: str = ""


@router.get("/me")
def who_am_i(request: Request, desk: DeskOf, actor: ActorOf) -> MeBody:
    """Who the caller is to this server."""
    person = catalogue.who_am_i(desk, actor)
    known = sessions.get_present_credential(desk, actor)
    return MeBody(
        name=actor.name,
        roles=sorted(actor.roles),
        groups=sorted(person.groups) if person is not None else [],
        models=list(actor.models),
        credential=actor.credential.value,
        credential_id=actor.credential_id,
        methods=list(actor.methods),
        scopes=sorted(actor.scopes) if actor.credential is Credential.TOKEN else [],
        expires_at=known.expires_at if known is not None else None,
        server=desk.url,
        version=request.app.version,
    )


@router.get("/models")
def list_models(desk: DeskOf, actor: ActorOf, cursor: str | None = None, limit: Limit = 50) -> Page[ModelBody]:
    """Every model that a run was ever about, by name."""
    found = catalogue.list_models(desk, actor, after=cursor, limit=limit)
    following = found[-1].name if len(found) == limit else None
    return Page(items=[render.model_body(model) for model in found], next=following)


@router.get("/models/{name}")
def get_model(name: str, desk: DeskOf, actor: ActorOf) -> ModelBody:
    """One model with its versions, newest first, and what is live where."""
    return render.model_body(catalogue.get_model(desk, actor, name))


@router.get("/models/{name}/versions/{version}")
def get_version(name: str, version: str, desk: DeskOf, actor: ActorOf) -> VersionBody:
    """One version of a model."""
    return render.version_body(catalogue.get_version(desk, actor, name, version))


@router.get("/deployments")
def list_deployments(
    desk: DeskOf, actor: ActorOf, environment: str | None = None, model: str | None = None, limit: Limit = 100
) -> Page[DeploymentBody]:
    """Deployments, newest first."""
    found = catalogue.list_deployments(desk, actor, environment=environment, model=model, limit=limit)
    return Page(items=[render.deployment_body(deployment) for deployment in found])


@router.get("/deployments/{deployment_id}")
def get_deployment(deployment_id: str, desk: DeskOf, actor: ActorOf) -> DeploymentBody:
    """One deployment."""
    return render.deployment_body(catalogue.get_deployment(desk, actor, deployment_id))


@router.post("/pipelines/validate")
def validate_pipeline(body: ValidateRequest, desk: DeskOf, actor: ActorOf) -> ValidationBody:
    """Every problem of a pipeline file, judged with the people and environments of this server."""
    problems = catalogue.validate_pipeline(
        desk, actor, body.pipeline, filename=body.filename, folder_name=body.folder_name
    )
    return ValidationBody(
        is_valid=not any(problem.is_error for problem in problems),
        problems=[place_of(problem) for problem in problems],
        text="\n".join(problem.text() for problem in problems),
    )


@router.get("/audit")
def list_audit(
    desk: DeskOf,
    actor: ActorOf,
    run: str | None = None,
    model: str | None = None,
    type: str | None = None,  # noqa: A002 - the query parameter's name
    by: Annotated[str | None, Query(alias="actor")] = None,
    cursor: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Limit = 100,
) -> Page[AuditBody]:
    """Audit events, newest first; of one run, or (auditors and administrators) of everything."""
    found = views.list_audit(desk, actor, run_id=run, model=model, type=type, by=by, after=cursor, limit=limit)
    following = str(found[-1].index) if len(found) == limit else None
    return Page(items=[render.audit_body(event) for event in found], next=following)
