"""`signoff.connect`: a `Client` for the server and the person that the caller, the environment or the home name."""

from __future__ import annotations

from signoff.sdk.client import Client
from signoff.sdk.locate import locate


def connect(server: str | None = None, *, token: str | None = None, person: str | None = None) -> Client:
    """A client of `server` (default: SIGNOFF_SERVER, else the server that `signoff up` started here).

    It speaks with `token`, else as `person` who has a session on this machine, else with SIGNOFF_TOKEN, else as who
    signed in with `signoff login`, else as whom `signoff up` signed in.

    Raises:
        NotAuthenticatedError: no credential was given and none is kept here.
    """
    access = locate(server, token, person)
    return Client(access.server, access.token)


def connect_as_nobody(server: str) -> Client:
    """A client of `server` that has no credential yet: for asking for one."""
    return Client(server)


def connect_with(server: str, credential: str) -> Client:
    """A client of `server` that speaks with this credential and looks for no other."""
    return Client(server, credential)
