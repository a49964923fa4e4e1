"""Reading what was found beside what was signed off: everybody sees it of the models that they may know of."""

from __future__ import annotations

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor
from signoff.domain.drift import Drift
from signoff.service.desk import Desk
from signoff.store import drifts


def list_drifts(desk: Desk, actor: Actor, *, environment: str | None = None, model: str | None = None) -> list[Drift]:
    """Everything that is found now, oldest first."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return [one for one in drifts.list_open(tx, environment=environment, model=model) if actor.sees(one.model)]
