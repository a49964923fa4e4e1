"""Drift: what is found in an environment beside what was signed off. Pure: what was seen comes in, an answer goes out.

Two things are looked at, each for itself: the environment's alias in the registry, and what its deployer says that it
runs. Reasons for all of this: ``docs/decisions/what-runs-is-what-was-signed-off.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from signoff.domain.environment import LOCAL, Deployment, DeploymentKind, Environment

SELF_HEAL = "policy:self_heal"
"""Who puts back what was signed off where the environment says so, in the audit log."""

MOST_HEALINGS = 3
HEALINGS_SPAN = timedelta(hours=1)
"""After so many in so long somebody moves it away again and again: people are told, and nothing is put back."""

Aliases = Mapping[str, Mapping[str, str]]
"""Model -> alias -> version: all that the registry says at one moment."""


class SeenBy(StrEnum):
    """What told of a version: the registry's alias, or the deployer about what runs."""

    ALIAS = "alias"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one of the two says of a model in an environment; no version: there is nothing."""

    model: str
    seen_by: SeenBy
    version: str | None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """What was found where something else was signed off, or nothing. It lasts from `found_at` to `ended_at`.

    `signed_*` is what signoff deployed there (`signed_kind` says how, `run_id` by which run); None: nothing. `note`
    says what is done about it, and in the end what became of it.
    """

    id: str
    environment: str
    model: str
    seen_by: SeenBy
    alias: str
    version: str | None
    digest: str | None
    signed_version: str | None
    signed_digest: str | None
    signed_kind: DeploymentKind | None
    run_id: str | None
    found_at: datetime
    ended_at: datetime | None = None
    note: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether signoff has deployed nothing there: what was found may be adopted."""
        return self.signed_version is None

    @property
    def state(self) -> tuple[str | None, ...]:
        """What makes it another finding than one before."""
        return (self.version, self.digest, self.signed_version, self.signed_digest)

    @property
    def sentence(self) -> str:
        """What is wrong, for everybody."""
        where, model = self.environment, self.model
        by = f"its alias {self.alias} points there" if self.seen_by is SeenBy.ALIAS else "its server says so"
        if self.is_unknown:
            return f"{where} serves {model} v{self.version} ({by}), which nobody signed off there."
        signed = f"{_HOW.get(self.signed_kind, 'what was signed off is')} v{self.signed_version}"
        if self.version is None:
            what = f"the alias {self.alias} of {model} points nowhere"
            return f"{where} serves no version of {model} by its alias: {what}, and {signed}."
        if self.version == self.signed_version:
            found, wanted = _short(self.digest), _short(self.signed_digest)
            return f"{where} runs other bytes of {model} v{self.version} than those signed off: {found}, not {wanted}."
        return f"{where} serves {model} v{self.version} ({by}), and {signed}."

    @property
    def hint(self) -> str:
        """What helps, as a command."""
        if self.is_unknown:
            return f"`signoff adopt {self.environment} {self.model} -m WHY` takes in what ran before signoff came."
        back = f"`signoff rollback {self.environment} {self.model} --to {self.signed_version} -m WHY`"
        return f"{back} puts v{self.signed_version} back."

    @property
    def warning(self) -> str:
        """All of it on a line."""
        note = f" {self.note[:1].upper()}{self.note[1:]}." if self.note and self.ended_at is None else ""
        return f"{self.sentence}{note} {self.hint}"


_HOW: Mapping[DeploymentKind | None, str] = {
    DeploymentKind.ADOPTED: "what was adopted is",
    DeploymentKind.BREAK_GLASS: "what the emergency deployed is",
}


def by_alias(environment: Environment, models: Collection[str], aliases: Aliases) -> list[Sighting]:
    """What the environment's alias says of each of `models`, and of every other model that has it."""
    alias = environment.deployer.alias
    found = {model: versions[alias] for model, versions in aliases.items() if alias in versions}
    names = sorted({*models, *found})
    return [Sighting(name, SeenBy.ALIAS, found.get(name)) for name in names]


def is_right(sighting: Sighting, live: Deployment | None) -> bool:
    """Whether what was seen is what signoff deployed there: nothing where it deployed nothing."""
    if live is None:
        return sighting.version is None
    return sighting.version == live.version and sighting.digest in {None, live.digest}


def is_explained(
    sighting: Sighting, environment: Environment, places: Mapping[str, Environment], live: Mapping[str, Deployment]
) -> bool:
    """Whether signoff itself put the alias there for another environment that shares it.

    `live` is what is live of this model, by environment. An environment without protection does not speak for one that
    has it, once that one has a version of its own.
    """
    if sighting.seen_by is not SeenBy.ALIAS or sighting.version is None:
        return False
    for name, deployment in live.items():
        other = places.get(name)
        if other is None or name == environment.name or other.deployer.alias != environment.deployer.alias:
            continue
        speaks = environment.name not in live or other.is_protected or not environment.is_protected
        if speaks and deployment.version == sighting.version:
            return True
    return False


def is_nobodys(environment: Environment, live: Deployment | None) -> bool:
    """Whether nothing needs to be signed off there: the built-in `local`, where signoff has deployed nothing."""
    return live is None and environment == LOCAL


def drift_of(
    drift_id: str, environment: Environment, sighting: Sighting, live: Deployment | None, at: datetime
) -> Drift:
    """The finding that `sighting` is, where it is not right."""
    return Drift(
        id=drift_id,
        environment=environment.name,
        model=sighting.model,
        seen_by=sighting.seen_by,
        alias=environment.deployer.alias,
        version=sighting.version,
        digest=sighting.digest,
        signed_version=live.version if live is not None else None,
        signed_digest=live.digest if live is not None else None,
        signed_kind=live.kind if live is not None else None,
        run_id=live.run_id if live is not None else None,
        found_at=at,
    )


def why_not_heal(live: Deployment, barred: str | None, healed_at: Sequence[datetime], now: datetime) -> str | None:
    """Why what was signed off is not put back by itself; None when it may be.

    `barred` is why it may not serve again, `healed_at` are the moments at which it was put back before.
    """
    if barred is not None:
        return f"nothing is put back: {barred.rstrip('.')}"
    if sum(moment > now - HEALINGS_SPAN for moment in healed_at) >= MOST_HEALINGS:
        return f"v{live.version} was put back {MOST_HEALINGS} times within an hour, and is not again for now"
    return None


def _short(digest: str | None) -> str:
    return (digest or "unknown").removeprefix("sha256:")[:12]
