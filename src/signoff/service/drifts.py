"""Reading what was found beside what was signed off: everybody sees it of the models that they may know of."""

from __future__ import annotations

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor
from signoff.domain.drift import Drift
from signoff.service.desk import Desk
from signoff.store import drifts


def list_drifts(
    desk: Desk, actor: Actor, *, environment: str | None = None, model: str | None = None, limit: int = 200
) -> list[Drift]:
    """What is found now, oldest first."""
    authorize(actor, Do.READ)
    most = None if actor.private else limit  # what is private is left out by its name, which the database cannot
    with desk.database.read() as tx:
        found = drifts.list_open(tx, environment=environment, model=model, limit=most)
    return [one for one in found if actor.sees(one.model)][:limit]
