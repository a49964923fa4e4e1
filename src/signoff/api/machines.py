"""Routes by which programs come in, and those by which administrators say which CI jobs are trusted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from signoff.api.request import ActorOf, DeskOf
from signoff.domain.trust import System, Trust
from signoff.service import devices, trusts
from signoff.wire.body import Page
from signoff.wire.machines import (
    DeviceCodeBody,
    DeviceRequest,
    DeviceSessionBody,
    DeviceTokenRequest,
    ExchangeRequest,
    TrustBody,
    TrustRequest,
)
from signoff.wire.people import MadeTokenBody

router = APIRouter(tags=["machines"])
TrustName = Annotated[str, Field(max_length=100)]


@router.post("/device/code", status_code=201)
def start_device(body: DeviceRequest, request: Request, desk: DeskOf) -> DeviceCodeBody:
    """Ask for a program to be signed in: no credential is needed, for it has none yet."""
    started = devices.start_device(desk, client=body.client, address=_address(request))
    return DeviceCodeBody(
        device_code=started.secret,
        user_code=started.user_code,
        verification_uri=started.address,
        verification_uri_complete=f"{started.address}?code={started.user_code}",
        expires_in=int((started.expires_at - desk.clock()) / timedelta(seconds=1)),
        interval=started.every.seconds,
    )


@router.post("/device/token")
def redeem_device(body: DeviceTokenRequest, request: Request, desk: DeskOf) -> DeviceSessionBody:
    """The program's session, once a person has confirmed its code; until then `authorization_pending`."""
    session = devices.redeem_device(desk, body.device_code, address=_address(request))
    return DeviceSessionBody(secret=session.secret, person=session.person, expires_at=session.expires_at)


@router.post("/tokens/exchange", status_code=201)
def exchange_id_token(body: ExchangeRequest, request: Request, desk: DeskOf) -> MadeTokenBody:
    """A token for 15 minutes, to submit and read, for a CI job that an administrator trusts."""
    made = trusts.exchange_id_token(desk, body.id_token, address=_address(request))
    names = ("id", "person", "name", "created_at", "expires_at", "by")
    shown = {name: getattr(made.token, name) for name in names}
    return MadeTokenBody(**shown, scopes=sorted(made.token.scopes), secret=made.secret)


@router.get("/tokens/trusts")
def list_trusts(desk: DeskOf, actor: ActorOf) -> Page[TrustBody]:
    """Every trusted CI job."""
    return Page(items=[_trust(trust) for trust in trusts.list_trusts(desk, actor)])


@router.post("/tokens/trusts", status_code=201)
def add_trust(body: TrustRequest, desk: DeskOf, actor: ActorOf) -> TrustBody:
    """Trust the jobs that are exactly this."""
    made = trusts.add_trust(
        desk,
        actor,
        body.name,
        system=System(body.system),
        repository_id=body.repository_id,
        workflow_ref=body.workflow_ref,
        person=body.person,
        environment=body.environment,
        issuer=body.issuer,
        audience=body.audience,
    )
    return _trust(made)


@router.delete("/tokens/trusts/{name}")
def remove_trust(name: TrustName, desk: DeskOf, actor: ActorOf) -> TrustBody:
    """Trust these jobs no longer; the tokens that they have end."""
    return _trust(trusts.remove_trust(desk, actor, name))


def _trust(trust: Trust) -> TrustBody:
    names = ("name", "issuer", "audience", "repository_id", "workflow_ref", "environment", "person", "by", "created_at")
    return TrustBody(system=trust.system.value, **{name: getattr(trust, name) for name in names})


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""
