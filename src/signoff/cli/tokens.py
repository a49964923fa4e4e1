"""`signoff token`: API tokens, which submit and read; each is shown once."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.people import asked
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table
from signoff.domain.errors import InvalidError

app = App(name="token", help="API tokens: they submit and read, and never decide.")
app.command("signoff.cli.trusts:app", name="trust")
SCOPES = ("read", "submit", "audit", "decide")


@app.command(name="list")
def list_tokens(
    *,
    person: Annotated[str | None, Parameter(metavar="NAME", help="Whose; administrators only.")] = None,
    everybody: Annotated[bool, Parameter(name="--all", help="Everybody's; administrators only.")] = False,
    common: Common = NOTHING,
) -> int:
    """Your tokens: what each may do, until when, and when it was last used."""
    from signoff.cli.words import ago

    screen = Screen(common)
    with connect(common) as client:
        found = client.people.list_tokens(person, everybody=everybody)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for token in found.items if screen.is_quiet else ():
        screen.essential(token.id)
    rows = [
        [
            safe(token.id),
            safe(token.person),
            safe(token.name),
            safe(", ".join(token.scopes)) + (f" [bold]as {safe(token.automation)}[/]" if token.automation else ""),
            f"{token.expires_at:%Y-%m-%d}",
            ago(token.last_used_at) if token.last_used_at else "never",
        ]
        for token in found.items
    ]
    if not rows:
        screen.say("No tokens. `signoff token create NAME` makes one.")
        return Exit.DONE
    screen.say(table(["id", "of", "name", "may", "until", "last used"], rows, least=["of"], cut="name"))
    return Exit.DONE


@app.command
def create(
    name: Annotated[str, Parameter(help="What it is for.")],
    /,
    *,
    scope: Annotated[
        list[str] | None,
        Parameter(metavar="SCOPE", help="read, submit, audit or decide; several times. Default: read and submit."),
    ] = None,
    days: Annotated[int, Parameter(help="How long it is good for, at most 366. Default: 90.")] = 90,
    person: Annotated[str | None, Parameter(metavar="NAME", help="Whose it is; administrators only.")] = None,
    automation: Annotated[
        str | None,
        Parameter(metavar="WHAT", help="Lets it decide under this name, with --scope decide; administrators only."),
    ] = None,
    common: Common = NOTHING,
) -> int:
    """Make a token. It is shown this once."""
    from signoff.wire.people import TokenRequest

    screen = Screen(common)
    wrong = next((word for word in scope or () if word not in SCOPES), None)
    if wrong is not None:
        raise InvalidError(f"{wrong!r} is not a scope.", f"Scopes are {', '.join(SCOPES)}.")
    if not 1 <= days <= 366:  # noqa: PLR2004 - as the help says
        raise InvalidError(f"--days {days} cannot be.", "A token lasts 1 to 366 days.")
    given = {"name": name, "days": days, "person": person, "automation": automation}
    request = asked(TokenRequest, {**given, **({"scopes": scope} if scope else {})})
    with connect(common) as client:
        made = client.people.make_token(request)
    if screen.is_json:
        screen.document(made)
        return Exit.DONE
    may = f"{', '.join(made.scopes)}{f' as {made.automation}' if made.automation else ''}"
    screen.say(f"[green]✔[/] {safe(made.name)} of {safe(made.person)}: {safe(may)}, until {made.expires_at:%Y-%m-%d}")
    screen.say("  It is shown this once:")
    screen.essential(made.secret)  # in one piece, however narrow the terminal
    return Exit.DONE


@app.command
def revoke(token_id: Annotated[str, Parameter(name="ID")], /, *, common: Common = NOTHING) -> int:
    """Make a token good for nothing, at once."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.people.revoke_token(token_id)
    if screen.is_json:
        screen.document(found)
    screen.say(f"The token {safe(found.name)} of {safe(found.person)} is good for nothing any more.")
    return Exit.DONE
