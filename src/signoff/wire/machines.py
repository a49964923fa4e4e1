"""How programs come in: a code that a person confirms, a CI job's id token, and which jobs are trusted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from signoff.wire.body import Body, Moment, Request

SystemWord = Literal["github", "gitlab"]
Pin = Annotated[str, Field(min_length=1, max_length=500)]


class DeviceRequest(Request):
    """A program that asks to be signed in; `client` is what its user will know it by."""

    client: str = Field(default="", max_length=200)


class DeviceCodeBody(Body):
    """The program's secret, and what its user types at `verification_uri`. The names are those of RFC 8628."""

    device_code: str = Field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class DeviceTokenRequest(Request):
    """The program's secret."""

    device_code: str = Field(max_length=200, repr=False)


class DeviceSessionBody(Body):
    """The session of a program whose code was confirmed; its secret is shown this once."""

    secret: str = Field(repr=False)
    person: str
    expires_at: Moment


class ExchangeRequest(Request):
    """A CI job's id token."""

    id_token: str = Field(max_length=20_000, repr=False)


class TrustRequest(Request):
    """A job that may submit, pinned to the letter. Without an `audience`, this server's public address."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    system: SystemWord
    repository_id: Annotated[str, Field(min_length=1, max_length=20)]
    workflow_ref: Pin
    person: Annotated[str, Field(min_length=1, max_length=100)]
    environment: Pin | None = None
    issuer: Pin | None = None
    audience: Pin | None = None


class TrustBody(Body):
    """A trusted job. Without an `environment` it has to run in none."""

    name: str
    system: str
    issuer: str
    audience: str
    repository_id: str
    workflow_ref: str
    environment: str | None = None
    person: str
    by: str
    created_at: Moment
