"""The alias deployer: live is what the environment's alias in the registry points at. Others serve from there.

It also mirrors a deployment on the version for people's eyes. Only `bootstrap` imports this, and `server`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from signoff.domain.drift import Aliases, Sighting, by_alias
from signoff.domain.environment import Environment
from signoff.domain.errors import DigestMismatchError, SignoffError
from signoff.ports import Live, Release, Tracking
from signoff.proof.manifest import verify

logger = logging.getLogger(__name__)


class AliasDeployer:
    """Moves the environment's alias to versions whose bytes are the approved ones."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def deploy(self, release: Release, /) -> str | None:
        """Verify the bytes, then move the alias; nothing answers anywhere, so no address.

        Raises:
            DigestMismatchError: the bytes are not those of the version, here or in the registry.
            UnavailableError: the registry did not answer.
        """
        version, alias = release.version, release.environment.deployer.alias
        verify(release.path, version.digest)
        now = self._tracking.alias(version.model, alias)
        if now is None or now.version != version.version:
            self._tracking.set_alias(version.model, alias, version.version)
        elif now.digest != version.digest:
            raise DigestMismatchError(
                f"The registry's files of {version.label} are not the ones that were approved.",
                "Find out who changed them, then submit the version again.",
            )
        mirror(self._tracking, release)
        return None

    def current(self, environment: Environment, model: str, /) -> Live | None:
        """The version behind the alias, with the digest of its bytes as they are now."""
        version = self._tracking.alias(model, environment.deployer.alias)
        return Live(version.version, version.digest) if version else None

    def observe(self, environment: Environment, models: Collection[str], aliases: Aliases, /) -> list[Sighting]:
        """What the alias says: nothing else serves."""
        return by_alias(environment, models, aliases)

    def is_ours(self, environment: Environment, model: str, /) -> bool:  # noqa: ARG002  (the port's words)
        """No machine keeps an alias alive: the registry does."""
        return False

    def ensure(self, release: Release, /) -> str | None:
        """An alias outlives reboots: move it only when it is gone."""
        if self.current(release.environment, release.version.model) is None:
            self.deploy(release)
        return None


def mirror(tracking: Tracking, release: Release) -> None:
    """Tag the version with where it was deployed last. People read it, signoff never does; failing is only logged."""
    version = release.version
    try:
        tracking.set_tags(version.model, version.version, {"signoff.environment": release.environment.name})
    except SignoffError as error:
        logger.warning("%s is live, but its tag could not be written: %s", version.label, error)
