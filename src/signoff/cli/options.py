"""What every command understands (`--json`, `--server`, `--as`, ...), and the client that these ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from signoff.sdk.client import Client

EVERYWHERE = Group("Everywhere", sort_key=9)

RunArgument = Annotated[str, Parameter(help="An id, a unique prefix of one, or `last`.")]
MessageOption = Annotated[str, Parameter(name=("-m", "--message"), allow_leading_hyphen=True)]


@Parameter(name="*", group=EVERYWHERE)
@dataclass(frozen=True, slots=True)
class Common:
    """The options of every command."""

    json: Annotated[bool, Parameter(help="One JSON document on stdout, nothing else.")] = False
    quiet: Annotated[bool, Parameter(name=("-q", "--quiet"), help="Only what a script needs.")] = False
    server: Annotated[str | None, Parameter(metavar="URL", help="The server; else SIGNOFF_SERVER, else `up`'s.")] = None
    token: Annotated[str | None, Parameter(help="A credential; else SIGNOFF_TOKEN or SIGNOFF_TOKEN_FILE.")] = None
    person: Annotated[
        str | None, Parameter(name="--as", metavar="NAME", help="Somebody who has a session on this machine.")
    ] = None


NOTHING = Common()


def connect(common: Common) -> Client:
    """A client for the server and person that `common` names."""
    from signoff.sdk.connection import connect as connect_to

    return connect_to(common.server, token=common.token, person=common.person)
