"""How an environment is deployed to by what a team has: a command of the administrator's, or a webhook.

Secrets are named, never held: a worker looks them up where they lie when it deploys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

DEFAULT_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a worker finds a secret: in a file of its machine, or in a variable of its own environment."""

    file: str | None = None
    env: str | None = None

    @property
    def where(self) -> str:
        """The place in words."""
        return f"the file {self.file}" if self.file is not None else f"the worker's variable {self.env}"


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """The commands that deploy, go back and ask for health; each a list of words, never a line for a shell."""

    run: tuple[str, ...]
    rollback: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretReference] = field(default_factory=dict)
    timeout: timedelta = DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """The address that is asked to deploy, what the requests are signed with, and where health is asked for."""

    url: str
    secret: SecretReference
    health_url: str | None = None
    timeout: timedelta = DEFAULT_TIMEOUT

    @property
    def shown_url(self) -> str:
        """What may be shown of the address: a path may hold a key."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or '...'}"
