"""The places that every page leads to, and who is led there."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.domain.access import Do, why_not
from signoff.domain.actor import Actor


@dataclass(frozen=True, slots=True)
class Place:
    """One entry. `needs` is what it takes to be allowed for the entry to be shown."""

    path: str
    title: str
    icon: str
    needs: Do = Do.READ

    def is_here(self, path: str) -> bool:
        """Whether the page at `path` belongs to this place."""
        return path == self.path or (self.path != "/" and path.startswith(self.path + "/"))


PLACES = (
    Place("/", "Inbox", "inbox"),
    Place("/models", "Models", "stack-2"),
    Place("/runs", "Runs", "player-play"),
    Place("/deployments", "Deployments", "rocket"),
    Place("/audit", "Audit", "history", Do.READ_AUDIT),
    Place("/settings", "Settings", "settings"),
)


def places_for(actor: Actor | None) -> tuple[Place, ...]:
    """What `actor` may go to; nothing for somebody who is not signed in."""
    if actor is None:
        return ()
    return tuple(place for place in PLACES if why_not(actor, place.needs) is None)
