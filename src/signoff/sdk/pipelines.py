"""Registered pipelines over REST: `client.pipelines`. One method for each route."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from signoff.wire.body import Page
from signoff.wire.watches import PipelineBody, PipelineRequest

if TYPE_CHECKING:
    from signoff.sdk.transport import Transport


class Pipelines:
    """Pipelines that new versions of a model start. Every method raises ApiError or ServerUnreachableError."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self) -> Page[PipelineBody]:
        """Every registered pipeline, with what came of the newest version."""
        return self._http.ask("GET", "/pipelines", Page[PipelineBody])

    def register(self, request: PipelineRequest) -> PipelineBody:
        """Register a pipeline file in the caller's name, in place of one that they registered by its name before."""
        return self._http.ask("POST", "/pipelines", PipelineBody, body=request)

    def get(self, name: str) -> PipelineBody:
        """One registered pipeline, with what came of the newest versions."""
        return self._http.ask("GET", f"/pipelines/{quote(name, safe='')}", PipelineBody)

    def remove(self, name: str) -> PipelineBody:
        """Start it no more."""
        return self._http.ask("DELETE", f"/pipelines/{quote(name, safe='')}", PipelineBody)
