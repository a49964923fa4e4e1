"""The files of `examples/break-glass`, played as the how-to page tells it."""

from __future__ import annotations

from pathlib import Path

from factories import DAVE, MODEL
from house import House, made
from signoff.engine import emergencies
from signoff.spec import read_environments, read_people

EXAMPLE = Path(__file__).parents[2] / "examples" / "break-glass"
PATH = f"/environments/production/models/{MODEL}/break-glass"


def test_the_page_is_true(house: House) -> None:
    directory, problems = read_people((EXAMPLE / "people.yaml").read_text())
    assert (directory is not None, list(problems)) == (True, [])
    environments, problems = read_environments((EXAMPLE / "environments.yaml").read_text(), directory=directory)
    assert (environments is not None, list(problems)) == (True, [])
    house.people(DAVE, *directory.people.values() if directory else ())
    house.environments(*(environments or {}).values())
    pipeline = (EXAMPLE / "signoff.yaml").read_text()

    # v1 goes the ordinary road.
    run_id = str(made(house.as_("alice").post("/runs", {"pipeline": pipeline, "model": house.version()}))["id"])
    house.work()
    house.decide("bob", run_id, "approve")
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"

    # v2 is wanted at once.
    reference = house.version()
    made(house.as_("frank").post(PATH, {"reference": reference, "why": "v1 declines everybody"}))
    asked = made(house.as_("grace").post(PATH, {"reference": reference}))
    house.work()
    found = made(house.as_("erin").get(f"/emergencies/{asked['id']}"))
    assert (found["status"], found["confirmed_by"]) == ("deployed", ["frank", "grace"])
    live = house.registry.alias(MODEL, "champion")
    assert live is not None
    assert live.version == "2"

    # Nobody reviews it: the former version comes back.
    house.clock.wait(hours=24.1)
    emergencies.attend(house.machinery, house.clock())
    house.work()
    assert made(house.as_("erin").get(f"/emergencies/{asked['id']}"))["status"] == "returned"
    back = house.registry.alias(MODEL, "champion")
    assert back is not None
    assert back.version == "1"
