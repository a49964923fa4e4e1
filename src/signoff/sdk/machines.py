"""How programs come in, over REST: `client.machines`. One method for each route."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from signoff.wire.body import Page
from signoff.wire.machines import (
    DeviceCodeBody,
    DeviceRequest,
    DeviceSessionBody,
    DeviceTokenRequest,
    ExchangeRequest,
    TrustBody,
    TrustRequest,
)
from signoff.wire.people import MadeTokenBody

if TYPE_CHECKING:
    from signoff.sdk.transport import Transport


class Machines:
    """Codes that sign a program in, and trusted CI jobs. Every method raises ApiError or ServerUnreachableError."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def start_device(self, request: DeviceRequest) -> DeviceCodeBody:
        """Ask to be signed in; needs no credential."""
        return self._http.ask("POST", "/device/code", DeviceCodeBody, body=request)

    def redeem_device(self, request: DeviceTokenRequest) -> DeviceSessionBody:
        """The session, once the code was confirmed; needs no credential."""
        return self._http.ask("POST", "/device/token", DeviceSessionBody, body=request)

    def exchange(self, request: ExchangeRequest) -> MadeTokenBody:
        """A token for a CI job's id token; needs no credential."""
        return self._http.ask("POST", "/tokens/exchange", MadeTokenBody, body=request)

    def list_trusts(self) -> Page[TrustBody]:
        """Every trusted CI job."""
        return self._http.ask("GET", "/tokens/trusts", Page[TrustBody])

    def add_trust(self, request: TrustRequest) -> TrustBody:
        """Trust the jobs that are exactly this."""
        return self._http.ask("POST", "/tokens/trusts", TrustBody, body=request)

    def remove_trust(self, name: str) -> TrustBody:
        """Trust these jobs no longer."""
        return self._http.ask("DELETE", f"/tokens/trusts/{quote(name, safe='')}", TrustBody)
