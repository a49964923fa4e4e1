"""People, groups, sessions and tokens over REST: `client.people`. One method for each route."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

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

if TYPE_CHECKING:
    from signoff.sdk.transport import Transport


class People:
    """Who there is and how they come in. Every method raises ApiError or ServerUnreachableError."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self) -> Page[PersonBody]:
        """Everybody the server knows."""
        return self._http.ask("GET", "/users", Page[PersonBody])

    def get(self, name: str) -> PersonBody:
        """One person."""
        return self._http.ask("GET", f"/users/{_of(name)}", PersonBody)

    def add(self, request: PersonRequest) -> PersonBody:
        """Make an account."""
        return self._http.ask("POST", "/users", PersonBody, body=request)

    def change(self, name: str, request: PersonChangeRequest) -> PersonBody:
        """Change what is given about a person."""
        return self._http.ask("PATCH", f"/users/{_of(name)}", PersonBody, body=request)

    def deactivate(self, name: str, *, force: bool = False) -> PersonBody:
        """Shut a person out."""
        return self._http.ask("POST", f"/users/{_of(name)}/deactivate", PersonBody, body=ForceRequest(force=force))

    def activate(self, name: str) -> PersonBody:
        """Let a person in again."""
        return self._http.ask("POST", f"/users/{_of(name)}/activate", PersonBody)

    def make_link(self, name: str) -> LinkBody:
        """A one-time link by which a person sets a password."""
        return self._http.ask("POST", f"/users/{_of(name)}/link", LinkBody)

    def join(self, name: str, request: LinkedRequest) -> PersonBody:
        """Join two accounts of one human being."""
        return self._http.ask("POST", f"/users/{_of(name)}/linked", PersonBody, body=request)

    def part(self, name: str) -> PersonBody:
        """Say that the account is a human being's only one."""
        return self._http.ask("DELETE", f"/users/{_of(name)}/linked", PersonBody)

    def list_groups(self) -> Page[GroupBody]:
        """Every group and who is in it."""
        return self._http.ask("GET", "/groups", Page[GroupBody])

    def set_group(self, name: str, request: GroupRequest) -> GroupBody:
        """Make a group, or say who is in it."""
        return self._http.ask("PUT", f"/groups/{_of(name)}", GroupBody, body=request)

    def remove_group(self, name: str) -> None:
        """Remove a group that nobody is in."""
        self._http.send("DELETE", f"/groups/{_of(name)}")

    def add_member(self, group: str, name: str) -> GroupBody:
        """Put a person into a group."""
        return self._http.ask("PUT", f"/groups/{_of(group)}/members/{_of(name)}", GroupBody)

    def remove_member(self, group: str, name: str, *, force: bool = False) -> GroupBody:
        """Take a person out of a group."""
        path = f"/groups/{_of(group)}/members/{_of(name)}"
        return self._http.ask("DELETE", path, GroupBody, query={"force": "true" if force else None})

    def get_private_models(self) -> PrivateBody:
        """The patterns of the private models."""
        return self._http.ask("GET", "/private-models", PrivateBody)

    def set_private_models(self, request: PrivateRequest) -> PrivateBody:
        """Say which models are private."""
        return self._http.ask("PUT", "/private-models", PrivateBody, body=request)

    def list_sessions(self, person: str | None = None) -> Page[SessionBody]:
        """The sessions that hold; of `person`, for administrators."""
        return self._http.ask("GET", "/sessions", Page[SessionBody], query={"person": person})

    def revoke_session(self, session_id: str) -> SessionBody:
        """End a session."""
        return self._http.ask("DELETE", f"/sessions/{_of(session_id)}", SessionBody)

    def revoke_other_sessions(self) -> EndedBody:
        """End every session but the present one."""
        return self._http.ask("DELETE", "/sessions", EndedBody)

    def list_tokens(self, person: str | None = None, *, everybody: bool = False) -> Page[TokenBody]:
        """One's tokens; those of `person` or of everybody, for administrators."""
        query = {"person": person, "everybody": "true" if everybody else None}
        return self._http.ask("GET", "/tokens", Page[TokenBody], query=query)

    def make_token(self, request: TokenRequest) -> MadeTokenBody:
        """Make a token; its secret is in the answer and nowhere else."""
        return self._http.ask("POST", "/tokens", MadeTokenBody, body=request)

    def revoke_token(self, token_id: str) -> TokenBody:
        """Make a token good for nothing."""
        return self._http.ask("DELETE", f"/tokens/{_of(token_id)}", TokenBody)

    def change_password(self, request: PasswordRequest) -> None:
        """Set one's first password, or change it."""
        self._http.send("PUT", "/me/password", body=request)


def _of(name: str) -> str:
    return quote(name, safe="")
