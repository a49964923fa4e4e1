"""`signoff delegate`: naming who decides while one is away, ending that, and listing who stands in for whom."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table
from signoff.domain.errors import InvalidError

if TYPE_CHECKING:
    from signoff.sdk.client import Client
    from signoff.wire.absence import DelegationBody


def delegate(
    person: Annotated[str | None, Parameter(help="Who decides for you meanwhile.")] = None,
    /,
    *,
    since: Annotated[str | None, Parameter(name="--from", metavar="DATE", help="The first day (UTC).")] = None,
    until: Annotated[str | None, Parameter(metavar="DATE", help="The last day, itself included.")] = None,
    of: Annotated[str | None, Parameter(metavar="NAME", help="Whose absence; administrators only.")] = None,
    end: Annotated[str | None, Parameter(metavar="ID", help="End this delegation now.")] = None,
    list_all: Annotated[bool, Parameter(name="--list", help="List who stands in for whom.")] = False,
    common: Common = NOTHING,
) -> int:
    """Name who decides for you while you are away; without a name, list who stands in for whom."""
    screen = Screen(common)
    with connect(common) as client:
        if end is not None:
            ended = client.end_delegation(end)
            if screen.is_json:
                screen.document(ended)
            screen.say(f"{safe(ended.delegate)} no longer decides for {safe(ended.person)}.")
            return Exit.DONE
        if person is None or list_all:
            return _list(client, screen)
        return _add(client, screen, person, since, until, of)


def _add(client: Client, screen: Screen, person: str, since: str | None, until: str | None, of: str | None) -> int:
    from signoff.wire.absence import DelegationRequest

    if since is None or until is None:
        raise InvalidError(
            "An absence needs its first and last day.",
            f"signoff delegate {person} --from 2026-12-20 --until 2027-01-04",
        )
    request = DelegationRequest(
        delegate=person, since=_moment("--from", since), until=_moment("--until", until, is_end=True), person=of
    )
    made = client.add_delegation(request)
    if screen.is_json:
        screen.document(made)
    screen.say(f"[green]✔[/] {_sentence(made)}")
    screen.say(f"  signoff delegate --end {made.id}  ends it early")
    return Exit.DONE


def _list(client: Client, screen: Screen) -> int:
    found = client.list_delegations()
    if screen.is_json:
        screen.document(found)
    elif not found.items:
        screen.say("Nobody is away, nor has said that they will be.")
    else:
        rows = [
            [safe(d.id), safe(d.person), safe(d.delegate), f"{d.since:%Y-%m-%d %H:%M}", f"{d.until:%Y-%m-%d %H:%M}"]
            for d in found.items
        ]
        screen.say(table(["id", "away", "stands in", "from (UTC)", "until"], rows))
    return Exit.DONE


def _sentence(made: DelegationBody) -> str:
    span = f"from {made.since:%d %B %Y %H:%M} until {made.until:%d %B %Y %H:%M} UTC"
    return f"{safe(made.delegate)} may decide for {safe(made.person)} {span}."


def _moment(option: str, text: str, *, is_end: bool = False) -> datetime:
    from signoff.spec.moment import HINT, parse_moment

    try:
        return parse_moment(text, is_end=is_end)
    except ValueError as error:
        raise InvalidError(f"{option} {text!r} {error}.", f"{HINT[0].upper()}{HINT[1:]}.") from error
