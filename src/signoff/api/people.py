"""Routes about people, groups, sessions, tokens, passwords and private models."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from signoff.api.request import ActorOf, DeskOf
from signoff.domain.account import ApiToken, Session
from signoff.domain.actor import Actor, Role, Scope
from signoff.service import accounts, people, sessions, tokens
from signoff.service.people import GroupView, PersonView
from signoff.wire.body import Page
from signoff.wire.people import (
    EndedBody,
    ForceRequest,
    GroupBody,
    GroupRequest,
    LinkBody,
    LinkedRequest,
    MadeTokenBody,
    PasswordRequest,
    PersonBody,
    PersonChangeRequest,
    PersonRequest,
    PrivateBody,
    PrivateRequest,
    SessionBody,
    TokenBody,
    TokenRequest,
)

router = APIRouter(tags=["people"])
PersonName = Annotated[str, Field(max_length=200)]
Force = Annotated[bool, Query(description="Even where a gate that waits could never be approved any more.")]


@router.get("/users")
def list_people(desk: DeskOf, actor: ActorOf) -> Page[PersonBody]:
    """Everybody the server knows."""
    return Page(items=[_person(view) for view in people.list_people(desk, actor)])


@router.post("/users", status_code=201)
def add_person(body: PersonRequest, desk: DeskOf, actor: ActorOf) -> PersonBody:
    """Make an account. Its owner signs in once they used a one-time link."""
    roles = [Role(role) for role in body.roles]
    people.add_person(
        desk, actor, body.name, roles=roles, groups=body.groups, models=body.models, email=body.email or None
    )
    return _person(people.get_person(desk, actor, body.name))


@router.get("/users/{name}")
def get_person(name: PersonName, desk: DeskOf, actor: ActorOf) -> PersonBody:
    """One person."""
    return _person(people.get_person(desk, actor, name))


@router.patch("/users/{name}")
def change_person(name: PersonName, body: PersonChangeRequest, desk: DeskOf, actor: ActorOf) -> PersonBody:
    """Change roles, groups, models or the address of a person."""
    people.change_person(
        desk,
        actor,
        name,
        roles=[Role(role) for role in body.roles] if body.roles is not None else None,
        groups=body.groups,
        models=body.models,
        email=body.email,
        force=body.force,
    )
    return _person(people.get_person(desk, actor, name))


@router.post("/users/{name}/deactivate")
def deactivate_person(name: PersonName, body: ForceRequest, desk: DeskOf, actor: ActorOf) -> PersonBody:
    """Shut a person out: their sessions, tokens and links die with it."""
    people.deactivate_person(desk, actor, name, force=body.force)
    return _person(people.get_person(desk, actor, name))


@router.post("/users/{name}/activate")
def activate_person(name: PersonName, desk: DeskOf, actor: ActorOf) -> PersonBody:
    """Let a deactivated person in again."""
    people.activate_person(desk, actor, name)
    return _person(people.get_person(desk, actor, name))


@router.post("/users/{name}/link", status_code=201)
def make_link(name: PersonName, desk: DeskOf, actor: ActorOf) -> LinkBody:
    """A one-time link by which the person sets a password: an invitation, or a reset where they have one."""
    made = accounts.make_link(desk, actor, name)
    return LinkBody(
        url=made.url, purpose=made.link.purpose.value, person=made.link.person, expires_at=made.link.expires_at
    )


@router.post("/users/{name}/linked")
def link_people(name: PersonName, body: LinkedRequest, desk: DeskOf, actor: ActorOf) -> PersonBody:
    """Join two accounts of one human being."""
    people.link_people(desk, actor, name, body.other, force=body.force)
    return _person(people.get_person(desk, actor, name))


@router.delete("/users/{name}/linked")
def unlink_person(name: PersonName, desk: DeskOf, actor: ActorOf) -> PersonBody:
    """Say that this account is a human being's only one."""
    people.unlink_person(desk, actor, name)
    return _person(people.get_person(desk, actor, name))


@router.get("/groups")
def list_groups(desk: DeskOf, actor: ActorOf) -> Page[GroupBody]:
    """Every group and who is in it."""
    return Page(items=[_group(view) for view in people.list_groups(desk, actor)])


@router.put("/groups/{group}")
def set_group(group: PersonName, body: GroupRequest, desk: DeskOf, actor: ActorOf) -> GroupBody:
    """Make a group, or say who is in it."""
    return _group(people.set_group(desk, actor, group, members=body.members, force=body.force))


@router.delete("/groups/{group}", status_code=204)
def remove_group(group: PersonName, desk: DeskOf, actor: ActorOf, *, force: Force = False) -> Response:
    """Remove a group that nobody is in."""
    people.remove_group(desk, actor, group, force=force)
    return Response(status_code=204)


@router.put("/groups/{group}/members/{name}")
def add_member(group: PersonName, name: PersonName, desk: DeskOf, actor: ActorOf) -> GroupBody:
    """Put a person into a group."""
    return _group(people.set_member(desk, actor, group, name, is_member=True))


@router.delete("/groups/{group}/members/{name}")
def remove_member(
    group: PersonName, name: PersonName, desk: DeskOf, actor: ActorOf, *, force: Force = False
) -> GroupBody:
    """Take a person out of a group."""
    return _group(people.set_member(desk, actor, group, name, is_member=False, force=force))


@router.get("/private-models")
def get_private_models(desk: DeskOf, actor: ActorOf) -> PrivateBody:
    """The patterns of the private models."""
    return PrivateBody(private=list(people.get_private_models(desk, actor)))


@router.put("/private-models")
def set_private_models(body: PrivateRequest, desk: DeskOf, actor: ActorOf) -> PrivateBody:
    """Say which models are private."""
    return PrivateBody(private=list(people.set_private_models(desk, actor, body.private, force=body.force)))


@router.get("/sessions")
def list_sessions(desk: DeskOf, actor: ActorOf, person: PersonName | None = None) -> Page[SessionBody]:
    """The caller's sessions that hold; those of `person` for administrators."""
    return Page(items=[_session(found, actor) for found in sessions.list_sessions(desk, actor, person=person)])


@router.delete("/sessions")
def revoke_other_sessions(desk: DeskOf, actor: ActorOf) -> EndedBody:
    """End every session of the caller but this one."""
    return EndedBody(ended=sessions.revoke_other_sessions(desk, actor))


@router.delete("/sessions/{session_id}")
def revoke_session(session_id: PersonName, desk: DeskOf, actor: ActorOf) -> SessionBody:
    """End one session: one's own, or anybody's for administrators. Signing out is ending the present one."""
    return _session(sessions.revoke_session(desk, actor, session_id), actor)


@router.get("/tokens")
def list_tokens(
    desk: DeskOf, actor: ActorOf, person: PersonName | None = None, *, everybody: bool = False
) -> Page[TokenBody]:
    """The caller's tokens; those of `person` or of everybody for administrators."""
    found = tokens.list_tokens(desk, actor, person=person, everybody=everybody)
    return Page(items=[TokenBody.model_validate(_token(token)) for token in found])


@router.post("/tokens", status_code=201)
def make_token(body: TokenRequest, desk: DeskOf, actor: ActorOf) -> MadeTokenBody:
    """Make a token; its secret is in this answer and nowhere else."""
    made = tokens.make_token(
        desk,
        actor,
        body.name,
        scopes=[Scope(scope) for scope in body.scopes],
        lasts=timedelta(days=body.days),
        person=body.person,
        automation=body.automation,
    )
    return MadeTokenBody.model_validate({**_token(made.token), "secret": made.secret})


@router.delete("/tokens/{token_id}")
def revoke_token(token_id: PersonName, desk: DeskOf, actor: ActorOf) -> TokenBody:
    """Make a token good for nothing."""
    return TokenBody.model_validate(_token(tokens.revoke_token(desk, actor, token_id)))


@router.put("/me/password", status_code=204)
def change_password(body: PasswordRequest, request: Request, desk: DeskOf, actor: ActorOf) -> Response:
    """Set the caller's first password, or change it by the present one; other sessions end."""
    if body.current is None:
        accounts.set_password(desk, actor, body.password)
    else:
        address = request.client.host if request.client is not None else ""
        accounts.change_password(desk, actor, body.current, body.password, address=address)
    return Response(status_code=204)


def _person(view: PersonView) -> PersonBody:
    person = view.person
    return PersonBody(
        name=person.name,
        roles=sorted(person.roles),
        groups=sorted(person.groups),
        models=list(person.models),
        email=person.email,
        is_active=person.is_active,
        linked=list(view.linked),
        can_sign_in=view.can_sign_in,
    )


def _group(view: GroupView) -> GroupBody:
    return GroupBody(name=view.name, members=list(view.members))


def _session(found: Session, actor: Actor) -> SessionBody:
    names = ("id", "person", "created_at", "last_seen_at", "expires_at", "address", "agent")
    shown = {name: getattr(found, name) for name in names}
    return SessionBody(**shown, methods=list(found.methods), is_present=found.id == actor.credential_id)


def _token(token: ApiToken) -> dict[str, object]:
    names = ("id", "person", "name", "created_at", "expires_at", "last_used_at", "by", "automation")
    return {name: getattr(token, name) for name in names} | {"scopes": sorted(token.scopes)}
