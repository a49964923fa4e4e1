"""The deployer's double: remembers what it was told, and can be told to fail."""

from __future__ import annotations

from collections.abc import Collection

from signoff.domain.drift import Aliases, SeenBy, Sighting
from signoff.domain.environment import Environment
from signoff.domain.errors import SignoffError
from signoff.ports import Live, Release
from signoff.proof.manifest import verify


class MemoryDeployer:
    """Serves nothing; `deployed` lists every release that went live, `failing` is raised instead when it is set."""

    def __init__(self, *, address: str | None = None) -> None:
        self.address = address
        self.deployed: list[Release] = []
        self.failing: SignoffError | None = None
        self._live: dict[tuple[str, str], Live] = {}

    def deploy(self, release: Release, /) -> str | None:
        """Verify the bytes and remember the release, unless it is live already."""
        if self.failing:
            raise self.failing
        version = release.version
        verify(release.path, version.digest)
        live = Live(version.version, version.digest, self.address)
        key = (release.environment.name, version.model)
        if self._live.get(key) != live:
            self._live[key] = live
            self.deployed.append(release)
        return self.address

    def current(self, environment: Environment, model: str, /) -> Live | None:
        """What was deployed last."""
        return self._live.get((environment.name, model))

    def is_ours(self, environment: Environment, model: str, /) -> bool:
        """Whether it was ever deployed through this object."""
        return any((one.environment.name, one.version.model) == (environment.name, model) for one in self.deployed)

    def ensure(self, release: Release, /) -> str | None:
        """Deploy it unless it is there."""
        return self.deploy(release)

    def observe(self, environment: Environment, models: Collection[str], _aliases: Aliases, /) -> list[Sighting]:
        """What was deployed last, or what `swap` says."""
        known = {name: self.current(environment, name) for name in models}
        return [Sighting(name, SeenBy.SERVER, one.version, one.digest) for name, one in known.items() if one]

    def swap(self, environment: str, model: str, live: Live) -> None:
        """Serve something else, as somebody may behind signoff's back."""
        self._live[environment, model] = live

    def lose(self, environment: str, model: str) -> None:
        """Forget what is live, as a reboot would."""
        self._live.pop((environment, model), None)
