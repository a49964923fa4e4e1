"""Routes about what is done to deployments beside the pipeline: breaking the glass, revoking, rolling back."""

from __future__ import annotations

from fastapi import APIRouter

from signoff.api import render
from signoff.api.request import ActorOf, DeskOf
from signoff.domain.errors import InvalidError
from signoff.service import catalogue, emergencies, revocations, rollbacks
from signoff.service.emergencies import EmergencyView
from signoff.service.revocations import Revoked
from signoff.wire.body import Page
from signoff.wire.emergencies import BreakGlassRequest, EmergencyBody, EmergencyViewBody
from signoff.wire.revocations import NotRolledBackBody, RevokedBody, RevokeRequest
from signoff.wire.runs import DeploymentBody, RollbackRequest

router = APIRouter(tags=["emergencies"])


@router.post("/environments/{name}/models/{model}/rollback", status_code=202)
def roll_back(name: str, model: str, body: RollbackRequest, desk: DeskOf, actor: ActorOf) -> DeploymentBody:
    """Make the version that was live before (or `to`) live again; the answer's id can be asked for at /deployments."""
    deployment_id = rollbacks.roll_back(desk, actor, name, model, to=body.to, why=body.why)
    return render.deployment_body(catalogue.get_deployment(desk, actor, deployment_id))


@router.post("/environments/{name}/models/{model}/break-glass", status_code=202)
def break_glass(name: str, model: str, body: BreakGlassRequest, desk: DeskOf, actor: ActorOf) -> EmergencyViewBody:
    """Ask for a version to be deployed without review, or confirm what somebody else has asked for."""
    if body.confirm is not None:
        if body.digest is None:
            raise InvalidError("A confirmation names the digest that was seen.", "Send the emergency's `digest`.")
        done = emergencies.confirm_emergency(desk, actor, body.confirm, digest=body.digest)
    else:
        if body.reference is None:
            raise InvalidError("No version is named.", f"Send `reference`: models:/{model}/VERSION.")
        done = emergencies.break_glass(desk, actor, name, model, reference=body.reference, why=body.why)
    return _view_body(emergencies.get_emergency(desk, actor, done))


@router.delete("/environments/{name}/models/{model}/break-glass")
def cancel_break_glass(name: str, model: str, desk: DeskOf, actor: ActorOf) -> EmergencyViewBody:
    """Call off the request that waits for confirmations."""
    done = emergencies.cancel_emergency(desk, actor, name, model)
    return _view_body(emergencies.get_emergency(desk, actor, done))


@router.get("/emergencies")
def list_emergencies(desk: DeskOf, actor: ActorOf) -> Page[EmergencyViewBody]:
    """What waits for confirmations, or was deployed without review and waits for that; oldest first."""
    return Page(items=[_view_body(found) for found in emergencies.list_emergencies(desk, actor)])


@router.get("/emergencies/{emergency_id}")
def get_emergency(emergency_id: str, desk: DeskOf, actor: ActorOf) -> EmergencyViewBody:
    """One emergency, however it ended."""
    return _view_body(emergencies.get_emergency(desk, actor, emergency_id))


@router.post("/environments/{name}/models/{model}/revoke")
def revoke_live(name: str, model: str, body: RevokeRequest, desk: DeskOf, actor: ActorOf) -> RevokedBody:
    """Take back what was approved of the version that is live there."""
    return _revoked_body(revocations.revoke_live(desk, actor, name, model, why=body.why, roll_back=body.rollback))


@router.post("/models/{name}/versions/{version}/revoke")
def revoke_version(name: str, version: str, body: RevokeRequest, desk: DeskOf, actor: ActorOf) -> RevokedBody:
    """Take back what was approved of a version, wherever it was approved."""
    return _revoked_body(revocations.revoke_version(desk, actor, name, version, why=body.why, roll_back=body.rollback))


def _view_body(found: EmergencyView) -> EmergencyViewBody:
    state = found.confirmations
    values = EmergencyBody.model_validate(found.emergency).model_dump()
    if state is None or found.emergency.status != "requested":
        return EmergencyViewBody(**values)
    return EmergencyViewBody(
        **values, missing=state.missing, candidates=list(state.candidates), sentence=state.sentence
    )


def _revoked_body(found: Revoked) -> RevokedBody:
    made = found.revocation
    return RevokedBody(
        model=made.model,
        version=made.version,
        digest=made.digest,
        by=made.by,
        at=made.at,
        why=made.why,
        live_in=list(found.live_in),
        reopened=list(found.reopened),
        rollbacks=[render.deployment_body(begun) for begun in found.rollbacks],
        not_rolled_back=[NotRolledBackBody(environment=name, why=why) for name, why in found.not_rolled_back],
    )
