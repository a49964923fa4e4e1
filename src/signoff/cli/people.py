"""`signoff user` and `signoff group`: who there is, what they may do, and how they come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table

if TYPE_CHECKING:
    from signoff.wire.body import Request
    from signoff.wire.people import GroupBody, LinkBody, PersonBody

R = TypeVar("R", bound="Request")
app = App(name="user", help="People: their roles, groups and models, and how they sign in.")
groups = App(name="group", help="Groups of people, which rules name as group:NAME.")

RolesOption = Annotated[
    list[str] | None,
    Parameter(name="--role", metavar="ROLE", help="viewer, submitter, approver, auditor or admin; several times."),
]
GroupsOption = Annotated[list[str] | None, Parameter(name="--group", metavar="GROUP", help="Several times.")]
ModelsOption = Annotated[
    list[str] | None, Parameter(name="--models", metavar="PATTERN", help="What the roles apply to; several times.")
]
EmailOption = Annotated[str | None, Parameter(help="Where messages go.")]
ForceOption = Annotated[
    bool, Parameter(help="Even where a gate that waits could never be approved any more. It is on record.")
]
RoleNames = ("viewer", "submitter", "approver", "auditor", "admin")


@app.command(name="list")
def list_people(*, common: Common = NOTHING) -> int:
    """Everybody the server knows."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.people.list()
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for person in found.items if screen.is_quiet else ():
        screen.essential(person.name)
    rows = [
        [
            f"[bold]{safe(person.name)}[/]",
            safe(", ".join(person.roles) or "none"),
            safe(", ".join(person.groups)),
            safe(", ".join(person.models)),
            _state(person),
        ]
        for person in found.items
    ]
    screen.say(table(["person", "roles", "groups", "models", ""], rows, least=["models"], cut="groups"))
    return Exit.DONE


@app.command
def show(name: str, /, *, common: Common = NOTHING) -> int:
    """One person."""
    screen = Screen(common)
    with connect(common) as client:
        return _told(screen, client.people.get(name))


@app.command
def add(
    name: str,
    /,
    *,
    role: RolesOption = None,
    group: GroupsOption = None,
    models: ModelsOption = None,
    email: EmailOption = None,
    common: Common = NOTHING,
) -> int:
    """Make an account, and the one-time link by which its owner chooses a password."""
    from signoff.wire.people import PersonRequest

    screen = Screen(common)
    _check_roles(role)
    request = asked(
        PersonRequest,
        {"name": name, "roles": role or [], "groups": group or [], "models": models or ["*"], "email": email},
    )
    with connect(common) as client:
        made = client.people.add(request)
        link = client.people.make_link(name)
    if screen.is_json:
        screen.document({**made.model_dump(mode="json"), "link": link.model_dump(mode="json")})
        return Exit.DONE
    screen.say(f"[green]✔[/] {safe(made.name)} is {safe(', '.join(made.roles) or 'known, without a role')}.")
    _tell_link(screen, link)
    return Exit.DONE


@app.command
def change(
    name: str,
    /,
    *,
    role: RolesOption = None,
    group: GroupsOption = None,
    models: ModelsOption = None,
    email: EmailOption = None,
    no_roles: Annotated[bool, Parameter(help="Take every role away.")] = False,
    no_groups: Annotated[bool, Parameter(help="Take them out of every group.")] = False,
    force: ForceOption = False,
    common: Common = NOTHING,
) -> int:
    """Change a person: what is given is all there is of it afterwards, what is not given stays."""
    from signoff.domain.errors import InvalidError
    from signoff.wire.people import PersonChangeRequest

    screen = Screen(common)
    _check_roles(role)
    changes = {
        "roles": [] if no_roles else role,
        "groups": [] if no_groups else group,
        "models": models,
        "email": email,
    }
    if all(value is None for value in changes.values()):
        raise InvalidError("Nothing to change was given.", f"signoff user change {name} --role approver")
    with connect(common) as client:
        request = asked(PersonChangeRequest, {**changes, "force": force})
        return _told(screen, client.people.change(name, request))


@app.command
def deactivate(name: str, /, *, force: ForceOption = False, common: Common = NOTHING) -> int:
    """Shut a person out: their sessions, tokens and links die at once."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.people.deactivate(name, force=force)
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(name)} is deactivated; their sessions and tokens are good for nothing.")
    return Exit.DONE


@app.command
def activate(name: str, /, *, common: Common = NOTHING) -> int:
    """Let a deactivated person in again."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.people.activate(name)
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(name)} is active again. `signoff user reset {safe(name)}` makes a link to sign in with.")
    return Exit.DONE


@app.command
def reset(name: str, /, *, common: Common = NOTHING) -> int:
    """Make a one-time link by which a person chooses a (new) password."""
    screen = Screen(common)
    with connect(common) as client:
        link = client.people.make_link(name)
    if screen.is_json:
        screen.document(link)
    _tell_link(screen, link)
    return Exit.DONE


@app.command
def link(name: str, other: str, /, *, force: ForceOption = False, common: Common = NOTHING) -> int:
    """Join two accounts of one human being: neither approves what the other submitted, and they count once."""
    from signoff.wire.people import LinkedRequest

    screen = Screen(common)
    with connect(common) as client:
        found = client.people.join(name, asked(LinkedRequest, {"other": other, "force": force}))
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(', '.join([found.name, *found.linked]))} are one person from now on.")
    return Exit.DONE


@app.command
def unlink(name: str, /, *, common: Common = NOTHING) -> int:
    """Say that an account is a human being's only one after all."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.people.part(name)
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(name)} is nobody else's second account any more.")
    return Exit.DONE


@app.command
def private(
    *patterns: str,
    clear: Annotated[bool, Parameter(name="--none", help="No model is private any more.")] = False,
    force: ForceOption = False,
    common: Common = NOTHING,
) -> int:
    """Say which models are private (all of their patterns), or show them: only people named for them see those."""
    from signoff.wire.people import PrivateRequest

    screen = Screen(common)
    with connect(common) as client:
        if patterns or clear:
            request = asked(PrivateRequest, {"private": [] if clear else list(patterns), "force": force})
            found = client.people.set_private_models(request)
        else:
            found = client.people.get_private_models()
    if screen.is_json:
        screen.document(found)
    for pattern in found.private if screen.is_quiet else ():
        screen.essential(pattern)
    screen.say(f"Private: {safe(', '.join(found.private))}" if found.private else "No model is private.")
    return Exit.DONE


@app.command
def sessions(
    name: str | None = None,
    /,
    *,
    end: Annotated[str | None, Parameter(metavar="ID", help="End this session now.")] = None,
    end_others: Annotated[bool, Parameter(help="End every session of yours but this one.")] = False,
    common: Common = NOTHING,
) -> int:
    """Where you (for administrators: anybody) are signed in; ending a session."""
    from signoff.cli.words import ago

    screen = Screen(common)
    with connect(common) as client:
        if end is not None:
            ended = client.people.revoke_session(end)
            screen.say(f"The session {safe(ended.id)} of {safe(ended.person)} is over.")
            if screen.is_json:
                screen.document(ended)
            return Exit.DONE
        if end_others:
            others = client.people.revoke_other_sessions()
            screen.say(f"{others.ended} other session{'' if others.ended == 1 else 's'} ended.")
            if screen.is_json:
                screen.document(others)
            return Exit.DONE
        found = client.people.list_sessions(name)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for session in found.items if screen.is_quiet else ():
        screen.essential(session.id)
    rows = [
        [
            safe(session.id),
            safe(", ".join(session.methods)),
            safe(ago(session.last_seen_at)),
            safe(session.address),
            safe(session.agent) + (" [bold](this one)[/]" if session.is_present else ""),
        ]
        for session in found.items
    ]
    screen.say(table(["session", "by", "last seen", "from", "with"], rows, least=["from"], cut="with"))
    return Exit.DONE


@groups.command(name="list")
def list_groups(*, common: Common = NOTHING) -> int:
    """Every group and who is in it."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.people.list_groups()
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for group in found.items if screen.is_quiet else ():
        screen.essential(group.name)
    rows = [[f"[bold]{safe(group.name)}[/]", safe(", ".join(group.members) or "nobody")] for group in found.items]
    screen.say(table(["group", "members"], rows, cut="members") if rows else "There are no groups.")
    return Exit.DONE


@groups.command(name="add")
def add_to_group(group: str, /, *people: str, common: Common = NOTHING) -> int:
    """Put people into a group; without people, make the group."""
    from signoff.wire.people import GroupRequest

    screen = Screen(common)
    with connect(common) as client:
        known = {found.name for found in client.people.list_groups().items}
        made = client.people.set_group(group, GroupRequest()) if group not in known or not people else None
        for person in people:
            made = client.people.add_member(group, person)
    return _told_group(screen, made)


@groups.command(name="remove")
def remove_from_group(group: str, /, *people: str, force: ForceOption = False, common: Common = NOTHING) -> int:
    """Take people out of a group; without people, remove the group, which nobody may be in."""
    screen = Screen(common)
    left: GroupBody | None = None
    with connect(common) as client:
        if not people:
            client.people.remove_group(group)
        for person in people:
            left = client.people.remove_member(group, person, force=force)
    if left is None:
        if screen.is_json:
            screen.document({"name": group, "members": []})
        screen.say(f"The group {safe(group)} is gone.")
        return Exit.DONE
    return _told_group(screen, left)


def _told_group(screen: Screen, group: GroupBody | None) -> int:
    if group is not None:
        if screen.is_json:
            screen.document(group)
        screen.say(f"[bold]{safe(group.name)}[/]: {safe(', '.join(group.members) or 'nobody')}")
    return Exit.DONE


def _told(screen: Screen, person: PersonBody) -> int:
    if screen.is_json:
        screen.document(person)
        return Exit.DONE
    screen.say(f"[bold]{safe(person.name)}[/]  {safe(', '.join(person.roles) or 'no role')} {_state(person)}")
    screen.say(f"  groups {safe(', '.join(person.groups) or 'none')}")
    screen.say(f"  acts on {safe(', '.join(person.models))}")
    if person.email:
        screen.say(f"  address {safe(person.email)}")
    if person.linked:
        screen.say(f"  the same person as {safe(', '.join(person.linked))}")
    return Exit.DONE


def _state(person: PersonBody) -> str:
    if not person.is_active:
        return "[red]deactivated[/]"
    linked = f"[dim]same person as {safe(', '.join(person.linked))}[/]" if person.linked else ""
    return linked if person.can_sign_in else f"[dim]no password yet[/] {linked}".rstrip()


def _tell_link(screen: Screen, link: LinkBody) -> None:
    what = "sets a new password" if link.purpose == "reset" else "lets them choose a password"
    until = f"{link.expires_at:%Y-%m-%d %H:%M} UTC"
    screen.say(f"  This link {what}; it works once, until {until}. Whoever has it can use it:")
    screen.essential(link.url)  # in one piece, however narrow the terminal


def asked(kind: type[R], values: Mapping[str, Any]) -> R:
    """The request that these values make; InvalidError in words for one that cannot be."""
    from pydantic import ValidationError

    from signoff.domain.errors import InvalidError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(str(part) for part in found["loc"])
        raise InvalidError(f"{where}: {found['msg']}.", "Look at what was typed.") from error


def _check_roles(roles: list[str] | None) -> None:
    from difflib import get_close_matches

    from signoff.domain.errors import InvalidError

    for role in roles or ():
        if role not in RoleNames:
            near = get_close_matches(role, RoleNames, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Roles are {', '.join(RoleNames)}."
            raise InvalidError(f"{role!r} is not a role.", hint)
