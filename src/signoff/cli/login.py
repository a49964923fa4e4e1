"""`signoff login` and `logout`: a person by a code that they confirm in their browser, a CI job by its id token."""

from __future__ import annotations

import getpass
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import InvalidError, NotAllowedError, NotAuthenticatedError, SignoffError, UnavailableError

if TYPE_CHECKING:
    from signoff.sdk.client import Client
    from signoff.sdk.logins import Login, Logins
    from signoff.wire.machines import DeviceCodeBody, DeviceSessionBody

ServerArgument = Annotated[
    str | None, Parameter(metavar="SERVER", help="Its address. Default: as for every other command.")
]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SLOWER_BY_S = 3
sleep = time.sleep


def login(
    server: ServerArgument = None,
    /,
    *,
    ci: Annotated[bool, Parameter(help="As the CI job that this runs in: a token for 15 minutes.")] = False,
    audience: Annotated[
        str | None, Parameter(metavar="URL", help="With --ci, what the id token is for. Default: SERVER.")
    ] = None,
    browser: Annotated[bool, Parameter(help="Also open the page in a browser.")] = False,
    common: Common = NOTHING,
) -> int:
    """Sign in to a server. With --token, keep that token for it."""
    screen = Screen(common)
    url = server_of(server, common)
    if common.person is not None:
        raise InvalidError("--as does not go with login.", "Whoever confirms the code in the browser is signed in.")
    if ci and common.token is not None:
        raise InvalidError("--ci and --token do not go together.", "Leave one of them out.")
    if audience is not None and not ci:
        raise InvalidError("--audience is for --ci.", "Leave it out.")
    if common.token is not None:
        made = _by_token(url, common.token)
    elif ci:
        made = _by_ci(url, audience or url)
    else:
        made = _by_code(url, opens=browser)
    _say_in(screen, _kept(made))
    return Exit.DONE


def logout(
    server: ServerArgument = None,
    /,
    *,
    everywhere: Annotated[bool, Parameter(name="--all", help="Of every server.")] = False,
    common: Common = NOTHING,
) -> int:
    """Sign out: the session ends on the server, and this machine forgets it."""
    from signoff.sdk.locate import read_home
    from signoff.sdk.logins import Logins

    screen = Screen(common)
    logins = Logins(read_home().path)
    if everywhere and server is not None:
        raise InvalidError("--all and a server were given.", "Leave one of them out.")
    servers = [found.server for found in logins.list()] if everywhere else [server_of(server, common)]
    ended: list[str] = []
    for url in servers:
        problem = _end(logins, url)
        logins.forget(url)
        if problem is None:
            ended.append(url)
            screen.say(f"Signed out of {safe(url)}.")
        else:
            screen.note(problem)
    if screen.is_json:
        screen.document({"signed_out": ended})
    return Exit.DONE


def _end(logins: Logins, url: str) -> str | None:
    """End the session on the server; why that was not done, or None."""
    from signoff.sdk.connection import connect_with

    try:
        found = logins.find(url)
    except NotAuthenticatedError as error:
        return f"{error.what} This machine forgets it; end the session on your account's page."
    if found is None:
        return f"Nobody is signed in to {url} with `signoff login`."
    if found.kind != "session" or found.is_over():
        return None
    try:
        with connect_with(url, found.secret) as client:
            present = client.me().credential_id
            if present is not None:
                client.people.revoke_session(present)
    except SignoffError as error:
        if error.code in {"session_over", "not_authenticated"}:
            return None
        return (
            f"{url} could not be told ({error.what}) This machine forgets the session; it ends by itself, or on your "
            "account's page."
        )
    return None


def server_of(server: str | None, common: Common) -> str:
    """The address that was given, or that every other command would use."""
    from signoff.sdk.locate import address, read_home, setting
    from signoff.sdk.logins import Logins
    from signoff.settings import DEFAULT_URL

    if server and common.server and server.rstrip("/") != common.server.rstrip("/"):
        raise InvalidError("Two servers were given.", "Leave --server out.")
    home = read_home()
    known = setting(os.environ, "SIGNOFF_SERVER") or home.url or Logins(home.path).newest()
    url = address(server or common.server or known or DEFAULT_URL)
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise NotAllowedError(
            f"{url} has no TLS: anybody on the way could read the session, and decide as you.",
            "Give its https address, or reach it through an SSH tunnel on localhost.",
        )
    return url


def _by_token(url: str, token: str) -> Login:
    from signoff.sdk.connection import connect_with

    with connect_with(url, token) as client:
        me = client.me()
    return _login(url, me.name, me.credential, token, me.expires_at)


def _by_ci(url: str, audience: str) -> Login:
    from signoff.sdk.ci_job import id_token
    from signoff.sdk.connection import connect_as_nobody
    from signoff.wire.machines import ExchangeRequest

    with connect_as_nobody(url) as client:
        made = client.machines.exchange(ExchangeRequest(id_token=id_token(audience)))
    return _login(url, made.person, "token", made.secret, made.expires_at)


def _by_code(url: str, *, opens: bool) -> Login:
    from signoff.sdk.connection import connect_as_nobody
    from signoff.wire.machines import DeviceRequest

    with connect_as_nobody(url) as client:
        begun = client.machines.start_device(DeviceRequest(client=_name()))
        # On stderr whatever was asked for: without the code nothing goes on.
        Screen(NOTHING).note(
            f"Open  {begun.verification_uri_complete}\n"
            f"there sign in, compare the code, and let this program in:  {begun.user_code}"
        )
        if opens:
            import webbrowser

            webbrowser.open(begun.verification_uri_complete)
        session = _await(client, begun)
    return _login(url, session.person, "session", session.secret, session.expires_at)


def _await(client: Client, begun: DeviceCodeBody) -> DeviceSessionBody:
    """Ask until somebody has answered. A server that is away for a moment is asked again."""
    from signoff.wire.machines import DeviceTokenRequest

    every, until = max(begun.interval, 1), time.monotonic() + begun.expires_in
    request = DeviceTokenRequest(device_code=begun.device_code)
    while time.monotonic() < until:
        sleep(every)
        try:
            return client.machines.redeem_device(request)
        except SignoffError as error:
            if error.code == "slow_down":
                every += _SLOWER_BY_S
            elif error.code not in {"authorization_pending", "server_unreachable", "unavailable"}:
                raise
    raise UnavailableError("Nobody confirmed the code in time.", "Begin anew: `signoff login`.")


def _name() -> str:
    """What the page will call this program."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError):
        who = "somebody"
    return f"the command line of {who} on {socket.gethostname()}"


def _login(url: str, person: str, kind: str, secret: str, expires_at: datetime | None) -> Login:
    from signoff.sdk.logins import Login

    now = datetime.now(UTC)
    return Login(url, person, kind, expires_at or now + timedelta(days=3650), now, secret=secret)


def _kept(made: Login) -> Login:
    from signoff.sdk.locate import read_home
    from signoff.sdk.logins import Logins

    return Logins(read_home().path).keep(made)


def _say_in(screen: Screen, made: Login) -> None:
    from signoff.cli.words import minute

    if screen.is_json:
        shown = {name: getattr(made, name) for name in ("server", "person", "kind", "kept_in")}
        screen.document({**shown, "expires_at": made.expires_at.isoformat()})
    if screen.is_quiet:
        screen.essential(made.person)
    where = "this machine's keyring" if made.kept_in == "keyring" else "a file that only you can read"
    screen.say(
        f"[green]✔[/] You are [bold]{safe(made.person)}[/] at {safe(made.server)}, until {minute(made.expires_at)}."
    )
    screen.say(f"[dim]Kept in {where}; `signoff logout` ends it.[/]")
    if os.environ.get("SIGNOFF_TOKEN") or os.environ.get("SIGNOFF_TOKEN_FILE"):
        screen.note("SIGNOFF_TOKEN is set, and wins over this: commands go on with that token.")
