"""Where the server is and as whom to speak to it. Used by `sdk.connect` and the command line.

What is said explicitly wins over the environment, the environment over what `signoff login` keeps for that server, and
that over what `signoff up` left in the home.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from signoff.domain.errors import ConfigurationError, InvalidError, NotAllowedError, NotAuthenticatedError
from signoff.sdk.logins import Logins
from signoff.settings import DEFAULT_URL, default_home, refuse_unknown

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Access:
    """A server's address and the credential to send with every request."""

    server: str
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Home:
    """What `signoff up` left on this machine: its server's address, who it signed in, and everybody's sessions."""

    path: Path
    url: str | None = None
    person: str | None = None

    @property
    def credentials(self) -> Path:
        """A file for each person who is signed in here."""
        return self.path / "credentials"

    @property
    def people(self) -> list[str]:
        """Who has a session here."""
        try:
            return sorted(file.stem for file in self.credentials.glob("*.session"))
        except OSError:
            return []


def read_home(environment: Mapping[str, str] | None = None) -> Home:
    """The home and its `up.json`, if there is one.

    Raises:
        ConfigurationError: an unknown SIGNOFF_* name.
    """
    env = os.environ if environment is None else environment
    refuse_unknown(env)
    path = default_home(env)
    try:
        found = json.loads((path / "up.json").read_text(encoding="utf-8"))
        return Home(path, found.get("url"), found.get("person"))
    except (OSError, ValueError, AttributeError):
        return Home(path)


def locate(
    server: str | None = None,
    token: str | None = None,
    person: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Access:
    """The server to speak to, and the credential.

    Raises:
        NotAuthenticatedError: no credential was given and none is kept here.
        NotAllowedError: a session of this machine would be sent to another one.
        InvalidError: the address is none, or both a token and a person were given.
        ConfigurationError: a setting is wrong.
    """
    env = os.environ if environment is None else environment
    if token and person:
        raise InvalidError("Both a token and a person were given.", "Give --token or --as, not both.")
    home = read_home(env)
    logins = Logins(home.path)
    url = address(server or setting(env, "SIGNOFF_SERVER") or home.url or logins.newest() or DEFAULT_URL)
    if token:
        return Access(url, token)
    if not person and (of_environment := setting(env, "SIGNOFF_TOKEN")):
        return Access(url, of_environment)
    login = logins.find(url)
    if login is not None and person in {None, login.person}:
        if login.is_over():
            raise NotAuthenticatedError(
                f"The sign-in of {login.person} for {url} is over.", f"Sign in again: `signoff login {url}`."
            )
        return Access(url, login.secret)
    if not (who := person or home.person):
        raise NotAuthenticatedError(f"There is no credential for {url}.", _how_to_sign_in(home))
    if urlsplit(url).hostname not in _LOOPBACK and url != home.url:
        if person:
            raise NotAllowedError(
                f"The session of {person} belongs to this machine's server and is not sent to {url}.",
                f"Sign in there, `signoff login {url}`, or give its own credential: --token, SIGNOFF_TOKEN.",
            )
        hint = f"Sign in there, `signoff login {url}`, or give a token: --token, SIGNOFF_TOKEN."
        raise NotAuthenticatedError(f"There is no credential for {url}.", hint)
    return Access(url, _session(home, who))


def address(url: str) -> str:
    """The address of a server, when it is one; InvalidError otherwise."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidError(f"{url!r} is not the address of a server.", f"Write it like {DEFAULT_URL}.")
    return url.rstrip("/")


def _session(home: Home, person: str) -> str:
    file = home.credentials / f"{person}.session"
    if "/" in person or person.startswith("."):
        raise InvalidError(f"{person!r} is not a person's name.", _how_to_sign_in(home))
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise NotAuthenticatedError(f"{person} has no session on this machine.", _how_to_sign_in(home)) from None
    except OSError as error:
        raise NotAuthenticatedError(
            f"The session of {person} cannot be read: {error.strerror} ({file}).",
            "Only the account that runs the server may read it; give a token with --token or SIGNOFF_TOKEN.",
        ) from error
    if not secret:
        raise NotAuthenticatedError(f"The session file of {person} is empty ({file}).", _how_to_sign_in(home))
    return secret


def _how_to_sign_in(home: Home) -> str:
    if people := home.people:
        return f"Say who you are with --as NAME (signed in here: {', '.join(people)}), or give a token with --token."
    return (
        "`signoff up` starts a server on this machine and signs you in; for another one `signoff login URL`, or give "
        "--server and --token (or SIGNOFF_SERVER and SIGNOFF_TOKEN)."
    )


def setting(environment: Mapping[str, str], name: str) -> str | None:
    """The variable, or the content of the file that NAME_FILE points to.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    if environment.get(name):
        return environment[name]
    if not (file := environment.get(f"{name}_FILE")):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{name}_FILE points to {file}, which cannot be read: {error.strerror}.", "Mend the path or its rights."
        ) from error
