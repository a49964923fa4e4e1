"""`signoff up`, `down`, `serve`, `worker` and `migrate`: being the server, or a part of it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import InvalidError

PortOption = Annotated[int, Parameter(help="Default: 8010.")]
HostOption = Annotated[
    str, Parameter(help="Default: 127.0.0.1, this machine only. Another takes an administrator who can sign in.")
]
HIGHEST_PORT = 65_535


def up(
    *,
    port: PortOption = 8010,
    host: HostOption = "127.0.0.1",
    detach: Annotated[bool, Parameter(help="Come back once it is ready; `signoff down` stops it.")] = False,
    common: Common = NOTHING,
) -> int:
    """Start the whole stack on this machine: database, server and worker. Ctrl-C stops it."""
    _check(port)
    from signoff import server
    from signoff.settings import read_settings

    if detach:
        server.up_detached(read_settings(), host, port)
        _say_up(Screen(common))
    else:
        server.up(read_settings(), host, port)
    return Exit.DONE


def down(*, common: Common = NOTHING) -> int:
    """Stop what `signoff up` started: server, worker, model servers and the embedded database."""
    from signoff import server
    from signoff.settings import read_settings

    screen = Screen(common)
    was_up = server.down(read_settings())
    if screen.is_json:
        screen.document({"was_up": was_up})
    screen.say("signoff is down." if was_up else "signoff was not up.")
    return Exit.DONE


def serve(
    *,
    port: PortOption = 8010,
    host: HostOption = "127.0.0.1",
    common: Common = NOTHING,  # noqa: ARG001 - what every command takes
) -> int:
    """Run the server alone, for many machines on one Postgres (SIGNOFF_DATABASE_URL)."""
    _check(port)
    from signoff import server
    from signoff.settings import read_settings

    server.serve(read_settings(), host, port)
    return Exit.DONE


def worker(
    *,
    concurrency: Annotated[int, Parameter(help="How many runs to work on at a time. Default: 4.")] = 4,
    common: Common = NOTHING,  # noqa: ARG001 - what every command takes
) -> int:
    """Run a worker alone: it trains, tests and deploys."""
    if concurrency < 1:
        raise InvalidError(f"--concurrency {concurrency} would do nothing.", "Give a number from 1.")
    from signoff import bootstrap
    from signoff.settings import read_settings

    bootstrap.work(read_settings(), concurrency)
    return Exit.DONE


def migrate(*, common: Common = NOTHING) -> int:
    """Bring the database's tables up to date, as SIGNOFF_MIGRATE_DATABASE_URL when it is given."""
    from signoff import bootstrap
    from signoff.settings import read_settings

    screen = Screen(common)
    bootstrap.migrate(read_settings())
    if screen.is_json:
        screen.document({"is_up_to_date": True})
    screen.say("The tables are up to date.")
    return Exit.DONE


def _check(port: int) -> None:
    if not 1 <= port <= HIGHEST_PORT:
        raise InvalidError(f"{port} is not a port.", "Give a number from 1 to 65535.")


def _say_up(screen: Screen) -> None:
    """Where it is, and what to do next."""
    from signoff.sdk.locate import read_home

    home = read_home()
    if screen.is_json:
        screen.document({"url": home.url, "person": home.person, "people": home.people, "home": str(home.path)})
    if screen.is_quiet and home.url:
        screen.essential(home.url)
    screen.say(f"signoff is up at [bold]{safe(home.url or '?')}[/].")
    if home.person in home.people:
        screen.say(f"  you are {safe(home.person)}" + (", or with --as NAME somebody else" if home.people[1:] else ""))
    else:
        screen.say(f"  say who you are with --as NAME: {safe(', '.join(home.people) or 'nobody has a session here')}")
    screen.say(f"  its log is {safe(str(home.path / 'up.log'))}")
    screen.say("  signoff init DIR  writes a pipeline to begin with;  signoff down  stops it")
