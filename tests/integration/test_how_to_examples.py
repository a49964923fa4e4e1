"""The how-to pages about gates, played with the very files that they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from house import House, made, refused
from signoff.spec import read_environments, read_people

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = "iris"


def play(house: House, name: str) -> str:
    """Move the people and environments of the example in; the text of its pipeline."""
    folder = EXAMPLES / name
    house.environments()
    directory, problems = read_people((folder / "people.yaml").read_text())
    assert directory is not None, problems
    house.people(*directory.people.values())
    if (folder / "environments.yaml").is_file():
        environments, problems = read_environments((folder / "environments.yaml").read_text(), directory=directory)
        assert environments is not None, problems
        house.environments(*environments.values())
    return (folder / "signoff.yaml").read_text()


def about(house: House, run_id: str, step: str | None = None) -> str:
    body = made(house.as_("alice").get(f"/runs/{run_id}"))
    gates = [gate for attempt in body["attempts"] for gate in attempt["gates"] if step in {None, gate["step"]}]
    return str(gates[-1]["digest"])


def approve(house: House, who: str, run_id: str, step: str, **more: object) -> None:
    body = {"verdict": "approve", "digest": about(house, run_id, step), **more}
    made(house.as_(who).post(f"/runs/{run_id}/gates/{step}/decisions", body))
    house.work()


def status(house: House, run_id: str) -> str:
    return str(made(house.as_("alice").get(f"/runs/{run_id}"))["status"])


def submit(house: House, pipeline: str, **metrics: float) -> str:
    reference = house.version(model=MODEL, **metrics)
    run_id = made(house.as_("alice").post("/runs", {"pipeline": pipeline, "model": reference}))["id"]
    house.work()
    return str(run_id)


def waits_for(house: House, run_id: str) -> str:
    return str(made(house.as_("alice").get(f"/runs/{run_id}"))["waits_for"])


def test_two_people_of_risk_stand_before_production_though_the_pipeline_asks_for_one(house: House) -> None:
    pipeline = play(house, "two-person-rule")
    run_id = submit(house, pipeline)
    approve(house, "bob", run_id, "approve")
    assert status(house, run_id) == "waiting"
    assert waits_for(house, run_id) == "approve waits for 1 more approval for two-of-risk, from carol or fay."
    approve(house, "carol", run_id, "approve")
    assert status(house, run_id) == "succeeded"


def test_fay_of_risk_does_not_count_for_her_own_version(house: House) -> None:
    pipeline = play(house, "two-person-rule")
    reference = house.version(model=MODEL)
    run_id = made(house.as_("fay").post("/runs", {"pipeline": pipeline, "model": reference}))["id"]
    house.work()
    said = {"verdict": "approve", "digest": about(house, run_id)}
    words = refused(house.as_("fay").post(f"/runs/{run_id}/gates/approve/decisions", said), 403, "cannot_decide")
    assert "fay submitted or contributed to this version" in words


def test_a_pipeline_that_goes_to_production_without_a_gate_is_refused(house: House) -> None:
    pipeline = play(house, "two-person-rule")
    bare = pipeline.split("  - name: approve")[0] + "  - name: release" + pipeline.split("  - name: release")[1]
    response = house.as_("alice").post("/runs", {"pipeline": bare, "model": house.version(model=MODEL)})
    assert (response.status_code, response.json()["code"]) == (422, "bad_pipeline")
    assert "production" in response.json()["detail"]


def test_three_lines_are_asked_one_after_the_other_and_the_last_for_half_a_year(house: House) -> None:
    pipeline = play(house, "three-lines")
    run_id = submit(house, pipeline)
    refused(
        house.as_("carol").post(f"/runs/{run_id}/gates/risk/decisions", {"verdict": "approve", "digest": "x"}),
        409,
        "conflict",
    )
    approve(house, "bob", run_id, "owners")
    ticked = ["I read the slice table", "The limits of use are written down"]
    approve(house, "carol", run_id, "risk", ticked=ticked)
    assert "1 more approval for independent-review, from fay, until" in waits_for(house, run_id)
    approve(house, "fay", run_id, "risk", ticked=ticked)
    approve(house, "gus", run_id, "audit")
    assert status(house, run_id) == "succeeded"
    house.clock.wait(days=181)
    house.tick()
    versions = made(house.as_("alice").get(f"/models/{MODEL}"))["versions"]
    assert [run["kind"] for run in house.as_("alice").get("/runs").json()["items"]] == ["reapproval", "release"]
    assert versions[0]["live_in"] == ["local"], "what serves goes on serving"


def test_owners_who_do_not_look_let_the_run_expire(house: House) -> None:
    run_id = submit(house, play(house, "three-lines"))
    house.clock.wait(days=3)
    house.tick()
    assert status(house, run_id) == "expired"


def test_risk_that_does_not_look_is_joined_by_audit(house: House) -> None:
    run_id = submit(house, play(house, "three-lines"))
    approve(house, "bob", run_id, "owners")
    house.clock.wait(days=5)
    house.tick()
    assert status(house, run_id) == "waiting"
    ticked = ["I read the slice table", "The limits of use are written down"]
    approve(house, "gus", run_id, "risk", ticked=ticked)
    approve(house, "carol", run_id, "risk", ticked=ticked)
    assert "audit waits for 1 more approval" in waits_for(house, run_id)


def test_surely_above_the_line_policy_approves_and_says_what_it_saw(house: House) -> None:
    pipeline = play(house, "auto-approve")
    run_id = submit(house, pipeline, accuracy=0.95)
    assert status(house, run_id) == "succeeded"
    body = made(house.as_("alice").get(f"/runs/{run_id}"))
    [decision] = body["attempts"][0]["gates"][0]["decisions"]
    assert (decision["is_policy"], decision["saw"]) == (True, {"accuracy": 0.95})
    assert decision["by"] == f"policy:{body['pipeline_digest']}"


@pytest.mark.parametrize(
    "metrics", [{"accuracy": 0.85}, {}, {"accuracy": float("nan")}], ids=["below", "missing", "nan"]
)
def test_everything_else_is_for_people(house: House, metrics: dict[str, float]) -> None:
    run_id = submit(house, play(house, "auto-approve"), **metrics)
    assert waits_for(house, run_id) == "approve waits for 1 more approval for approve, from bob."
