"""A command deploys: whole runs with real processes, from the approval to the log that the pages show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploying_scene import Outside
from factories import MODEL
from house import House
from signoff.adapters.deploy.command import CommandDeployer
from signoff.adapters.runner.local import Limits, LocalRunner


@pytest.fixture
def outside(house: House, tmp_path: Path) -> Outside:
    """The house's production is deployed to by a command that knows a folder."""
    outside = Outside(tmp_path / "outside")
    runner = LocalRunner(Limits(poll=0.05))
    deployers: dict[str, Any] = house.machinery.deployers  # type: ignore[assignment]
    deployers["command"] = CommandDeployer(runner, house.registry, pause=0.05)
    house.environments(outside.environment("production"))
    return outside


def log(house: House, run_id: str) -> str:
    answer = house.as_("dave").get(f"/runs/{run_id}/logs/deploy")
    assert answer.status_code == 200, answer.text
    return answer.text


def deployed(house: House) -> str:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    return run_id


def test_an_approved_version_is_deployed_by_the_command_which_sees_what_it_deploys(
    house: House, outside: Outside
) -> None:
    run_id = deployed(house)
    body = house.run(run_id)
    assert (body["status"], body["model_status"]) == ("succeeded", "deployed")
    [deployment] = body["deployments"]
    assert deployment["address"] == "http://models.example.org/fraud"
    [seen] = outside.seen("deploy")
    assert seen["SIGNOFF_IDEMPOTENCY_KEY"] == f"{run_id}/deploy/1/{deployment['id']}"
    assert (seen["SIGNOFF_ENVIRONMENT"], seen["SIGNOFF_MODEL"], seen["SIGNOFF_VERSION"]) == ("production", MODEL, "1")
    assert seen["SIGNOFF_DIGEST"] == deployment["digest"] == seen["digest of the files"]
    assert seen["SIGNOFF_MODEL_URI"] == f"models:/{MODEL}/1"
    assert (seen["SIGNOFF_RUN_ID"], seen["SIGNOFF_KIND"], seen["REGION"]) == (run_id, "run", "eu-west-1")
    assert "SIGNOFF_FORMER_VERSION" not in seen
    assert seen["context"]["approval"]["gates"][0]["step"] == "approve"
    assert log(house, run_id).splitlines() == [
        f"[signoff] deploys {MODEL} v1 to production",
        "deploy of 1",
        f"[signoff] {MODEL} v1 is healthy",
    ]
