"""A production whose glass may be broken: its people, its environments, and what they do to it in one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from httpx2 import Response

from factories import CAST, MODEL, approvers
from house import PRODUCTION, STAGING, House, made
from signoff.domain.environment import BreakGlass
from signoff.engine import emergencies

PATH = f"/environments/production/models/{MODEL}/break-glass"
ROLLBACK = f"/environments/production/models/{MODEL}/rollback"
WHY = "v1 declines everybody"
GLASS = BreakGlass(("group:leads",))
GUARDED = replace(PRODUCTION, break_glass=GLASS)
RETURNING = replace(PRODUCTION, break_glass=replace(GLASS, on_expiry="return_to_former"))
Scene = Callable[[House], Response]
LEADS = approvers(["frank", "grace", "heidi"], "leads")


def ask(house: House, who: str, reference: str | None = None, why: str = WHY) -> Response:
    return house.as_(who).post(PATH, {"reference": reference or f"models:/{MODEL}/2", "why": why})


def broken(house: House, first: str = "frank", second: str = "grace") -> dict[str, Any]:
    """v2 is deployed without review; the emergency."""
    house.version()
    made(ask(house, first))
    done = made(ask(house, second, why=""))
    house.work()
    return get(house, done["id"])


def get(house: House, emergency_id: str) -> dict[str, Any]:
    return made(house.as_("dave").get(f"/emergencies/{emergency_id}"))


def live(house: House) -> str:
    found = house.registry.alias(MODEL, "champion")
    assert found is not None
    return found.version


def later(house: House, **by: float) -> None:
    """So much later the tick looks at the debts, and the workers do what follows."""
    house.clock.wait(**by)
    emergencies.attend(house.machinery, house.clock())
    house.work()


def newest(house: House) -> dict[str, Any]:
    found: dict[str, Any] = made(house.as_("dave").get("/deployments"))["items"][0]
    return found


def guard(house: House) -> None:
    """v1 is live in production; frank, grace and heidi lead and may break its glass."""
    house.people(*CAST, *LEADS)
    house.environments(GUARDED, STAGING)
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
