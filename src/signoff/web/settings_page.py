"""Settings: my absence and tokens; for administrators people, groups and environments too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from signoff.domain.access import Do, why_not
from signoff.domain.actor import Actor, Role, Scope
from signoff.domain.errors import InvalidError, SignoffError
from signoff.service import absence, catalogue, people, tokens
from signoff.service.accounts import make_link
from signoff.service.chat_accounts import list_chats
from signoff.service.desk import Desk
from signoff.service.targets import list_targets
from signoff.web.page import redirect, render
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.statuses import status_of

router = APIRouter(prefix="/settings")
_Text = Annotated[str, Form(max_length=500)]
_Many = Annotated[list[str], Form(max_length=100)]


class _DateError(InvalidError):
    """A field that should hold a date does not."""

    code = "not_a_date"


@router.get("")
def show_settings(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """The page."""
    return settings_page(request, desk, actor)


@router.post("/absence")
def name_delegate(
    request: Request, desk: DeskOf, actor: SignedIn, delegate: _Text = "", since: _Text = "", until: _Text = ""
) -> Response:
    """Let somebody decide for me while I am away."""
    try:
        begins, ends = _day(since), _day(until) + timedelta(days=1)  # the last day counts
        absence.add_delegation(desk, actor, delegate, since=begins, until=ends)
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="absence")
    return redirect(request, "/settings#absence", f"{delegate} decides for you in that time.")


@router.post("/absence/{delegation_id}/end")
def end_absence(request: Request, delegation_id: str, desk: DeskOf, actor: SignedIn) -> Response:
    """End a delegation now."""
    absence.end_delegation(desk, actor, delegation_id)
    return redirect(request, "/settings#absence", "That delegation is over.")


@router.post("/tokens")
def add_token(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    name: _Text = "",
    scope: _Many = [],  # noqa: B006 - the framework copies it
    days: Annotated[int, Form(ge=1, le=3650)] = 90,
) -> Response:
    """Make a token and show its secret this once."""
    try:
        scopes = [Scope(word) for word in scope if word in set(Scope)]
        made = tokens.make_token(desk, actor, name.strip(), scopes=scopes, lasts=timedelta(days=days))
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="tokens")
    return settings_page(request, desk, actor, secret=made.secret, section="tokens")


@router.post("/tokens/{token_id}/revoke")
def revoke_token(request: Request, token_id: str, desk: DeskOf, actor: SignedIn) -> Response:
    """A token is good for nothing from now on."""
    tokens.revoke_token(desk, actor, token_id)
    return redirect(request, "/settings#tokens", "The token is revoked.")


@router.post("/people")
def add_person(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    name: _Text = "",
    email: _Text = "",
    role: _Many = [],  # noqa: B006 - likewise
    groups: _Text = "",
    models: _Text = "",
) -> Response:
    """Make an account, and show the link with which its owner sets a password."""
    try:
        people.add_person(
            desk,
            actor,
            name.strip(),
            roles=[Role(word) for word in role if word in set(Role)],
            groups=_words(groups),
            models=_words(models) or ["*"],
            email=email.strip() or None,
        )
        made = make_link(desk, actor, name.strip())
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="people")
    return settings_page(request, desk, actor, link=made.url, link_for=name.strip(), section="people")


@router.post("/people/{name}")
def change_person(
    request: Request,
    name: str,
    desk: DeskOf,
    actor: SignedIn,
    email: _Text = "",
    role: _Many = [],  # noqa: B006 - likewise
    groups: _Text = "",
    models: _Text = "",
) -> Response:
    """Change a person."""
    try:
        people.change_person(
            desk,
            actor,
            name,
            roles=[Role(word) for word in role if word in set(Role)],
            groups=_words(groups),
            models=_words(models) or ["*"],
            email=email.strip(),
        )
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="people")
    return redirect(request, "/settings#people", f"{name} is changed.")


@router.post("/people/{name}/{what}")
def turn_person(request: Request, name: str, what: str, desk: DeskOf, actor: SignedIn) -> Response:
    """Shut a person out, let them in again, or make a link for them."""
    try:
        if what == "deactivate":
            people.deactivate_person(desk, actor, name)
        elif what == "activate":
            people.activate_person(desk, actor, name)
        elif what == "link":
            made = make_link(desk, actor, name)
            return settings_page(request, desk, actor, link=made.url, link_for=name, section="people")
        else:
            raise InvalidError(f"Nothing is called {what[:30]}.", "Go back to the settings.")
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="people")
    return redirect(request, "/settings#people", f"{name} is {what}d.")


@router.post("/groups")
def set_group(
    request: Request, desk: DeskOf, actor: SignedIn, name: _Text = "", members: Annotated[str, Form()] = ""
) -> Response:
    """Make a group, or say who is in it."""
    try:
        people.set_group(desk, actor, name.strip(), members=_words(members))
    except SignoffError as error:
        return settings_page(request, desk, actor, problem=error, section="groups")
    return redirect(request, "/settings#groups", f"The group {name} is as you said.")


def settings_page(
    request: Request,
    desk: Desk,
    actor: Actor,
    *,
    problem: SignoffError | None = None,
    section: str = "",
    secret: str | None = None,
    link: str | None = None,
    link_for: str = "",
) -> Response:
    """The page; with a `problem` in its `section`, or with a `secret` or `link` that is shown this once."""
    is_admin = why_not(actor, Do.ADMINISTER) is None
    can_delegate = why_not(actor, Do.DELEGATE) is None and Role.APPROVER in actor.roles
    return render(
        request,
        "settings.html",
        status=status_of(problem).value if problem is not None else 200,
        is_admin=is_admin,
        targets=list_targets(desk, actor) if is_admin else (),
        chats=list_chats(desk, actor) if is_admin else (),
        can_delegate=can_delegate,
        delegations=absence.list_delegations(desk, actor),
        everybody=people.list_people(desk, actor),
        groups=people.list_groups(desk, actor),
        tokens=[one for one in tokens.list_tokens(desk, actor) if one.why_over(desk.clock()) is None],
        environments=[environment for environment, _ in catalogue.list_environments(desk, actor)],
        roles=[role.value for role in Role],
        scopes=[scope.value for scope in Scope if scope is not Scope.DECIDE],
        today=desk.clock().date(),
        problem=problem,
        section=section,
        secret=secret,
        link=link,
        link_for=link_for,
    )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text.strip()), time(), UTC)
    except ValueError as error:
        raise _DateError(f"{text[:30]!r} is not a day.", "Write it like 2026-12-24.") from error
