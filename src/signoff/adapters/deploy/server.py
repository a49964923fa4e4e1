"""The server deployer: has the supervisor of an (environment, model) swap versions, starting one when none runs.

The order of a deployment: verify the bytes; the supervisor gets a new server healthy beside the old one; the alias
moves; the supervisor swaps. Whatever fails before the swap, the former version never stopped serving. Only `bootstrap`
imports this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from signoff.adapters.deploy.alias import mirror
from signoff.adapters.deploy.control import Control, NotRunningError, start_supervisor, stop_supervisors
from signoff.domain.drift import Aliases, SeenBy, Sighting, by_alias
from signoff.domain.environment import Environment
from signoff.domain.errors import MachineryError, SignoffError, UnavailableError, UnhealthyError
from signoff.ports import Live, Release, Tracking
from signoff.proof.manifest import verify

LONGEST_NAME = 100
MARGIN = 180.0
"""Seconds beyond a version's health time-out for copying its bytes and for another deployment to finish first."""


class ServerDeployer:
    """Runs a model server for each (environment, model) under `folder` and keeps the environment's alias on it."""

    def __init__(self, folder: Path, tracking: Tracking) -> None:
        self._folder = folder
        self._tracking = tracking

    def deploy(self, release: Release, /) -> str | None:
        """Serve `release` and return its address; a repeated call finds it live and changes nothing.

        Raises:
            DigestMismatchError: the bytes are not those of the version.
            UnhealthyError: it did not get healthy; the former version serves on.
            UnavailableError: the supervisor or the registry did not answer; the former version serves on.
            MachineryError: the version is not an MLflow model, or the server could not be started.
        """
        return self._deploy(release, dict(release.approval))

    def _deploy(self, release: Release, approval: dict[str, Any]) -> str:
        version, environment = release.version, release.environment
        if not version.is_servable:
            raise MachineryError(
                f"{version.label} cannot be served: its files are not an MLflow model.",
                f"Log it with MLflow, or give {environment.name} a deployer of type alias.",
                is_retryable=False,
            )
        verify(release.path, version.digest)
        folder = self._home(environment.name, version.model)
        timeout = environment.deployer.health_timeout.total_seconds()
        served = {
            "model": version.model,
            "version": version.version,
            "digest": version.digest,
            "approval": approval,
            "health_timeout": timeout,
        }
        start_supervisor(folder)
        with Control(folder, timeout + MARGIN) as control:
            former = control.ask("status")["live"]
            try:
                control.ask("prepare", served=served, path=str(release.path.resolve()))
            except UnhealthyError as error:
                kept = f"v{former['version']} serves on." if former else "Nothing was served before."
                raise UnhealthyError(f"{error.what} {kept}", error.hint) from None
            alias = environment.deployer.alias
            self._tracking.set_alias(version.model, alias, version.version)
            try:
                address: str = control.ask("commit")["address"]
            except SignoffError:
                if former:
                    self._tracking.set_alias(version.model, alias, former["version"])
                raise
        mirror(self._tracking, release)
        return address

    def current(self, environment: Environment, model: str, /) -> Live | None:
        """What the server itself says at ``/version``; None when no server runs or nothing answers behind it."""
        found = self._status(environment, model)
        if found is None or found["live"] is None:
            return None
        address = found["address"]
        import httpx2

        try:
            answer = httpx2.get(f"{address}/version", timeout=5, trust_env=False)
            said = answer.raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise UnavailableError(
                f"The model server of {model} in {environment.name} did not say what it serves: {error}.",
                f"See server.log in {self._home(environment.name, model)}.",
            ) from error
        return Live(said["version"], said["digest"], address)

    def ensure(self, release: Release, /) -> str | None:
        """Bring the release back unless the same bytes are live, with the approval that it was deployed with."""
        version = release.version
        start_supervisor(self._home(release.environment.name, version.model))
        found = self._status(release.environment, version.model) or {}
        for state in ("live", "wanted"):
            one = found.get(state)
            if one and (one["version"], one["digest"]) == (version.version, version.digest):
                address: str = found["address"]
                return address if state == "live" else self._deploy(release, one["approval"])
        return self.deploy(release)

    def observe(self, environment: Environment, models: Collection[str], aliases: Aliases, /) -> list[Sighting]:
        """What the alias says, and each model server of this machine that answers."""
        found = by_alias(environment, models, aliases)
        for model in models:
            try:
                live = self.current(environment, model) if self.is_ours(environment, model) else None
            except UnavailableError:
                continue  # one that is gone is brought back, and one that hangs says nothing
            if live is not None:
                found.append(Sighting(model, SeenBy.SERVER, live.version, live.digest))
        return found

    def is_ours(self, environment: Environment, model: str, /) -> bool:
        """Whether a model server for it was ever healthy under this folder."""
        return (self._home(environment.name, model) / "state.json").exists()

    def _status(self, environment: Environment, model: str) -> dict[str, Any] | None:
        """The supervisor's own words; None when there is none."""
        try:
            with Control(self._home(environment.name, model), 5) as control:
                return control.ask("status")
        except NotRunningError:
            return None

    def _home(self, environment: str, model: str) -> Path:
        return self._folder / folder_name(environment) / folder_name(model)


def folder_name(name: str) -> str:
    """A folder name for any environment or model name; different names get different ones."""
    safe = quote(name, safe="")
    safe = "%2E" + safe[1:] if safe.startswith(".") else safe
    return safe if len(safe) <= LONGEST_NAME else f"{safe[:40]}%{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def stop_all(folder: Path) -> int:
    """Stop every model server under `folder` (the deployer's), letting each finish; returns how many there were."""
    return stop_supervisors(folder.glob("*/*/control.sock"))
