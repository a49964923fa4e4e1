"""Rolling back: a version that was live before is live again, verified, audited, and only by who may."""

from __future__ import annotations

import pytest

from factories import MODEL
from house import APPROVE_AND_DEPLOY, House, made, refused
from signoff.domain.actor import SYSTEM
from signoff.domain.environment import LOCAL
from signoff.domain.errors import UnhealthyError
from signoff.service.environments import apply_environments

LOCALLY = APPROVE_AND_DEPLOY.replace("production", "local")
PATH = f"/environments/production/models/{MODEL}/rollback"


def live(house: House) -> str:
    found = house.registry.alias(MODEL, "champion")
    assert found is not None
    return found.version


def deployed(house: House, how_many: int, pipeline: str = APPROVE_AND_DEPLOY) -> list[str]:
    """So many versions, each deployed after the one before; the ids of their runs."""
    ids = []
    for _ in range(how_many):
        ids.append(house.submit(pipeline))
        house.decide("bob", ids[-1], "approve")
    return ids


def test_the_version_before_is_made_live_again(house: House) -> None:
    first, second = deployed(house, 2)
    wanted = made(house.as_("bob").post(PATH, {"why": "recall fell"}))
    assert (wanted["status"], wanted["version"], wanted["kind"]) == ("deploying", "1", "rollback")
    assert live(house) == "2"
    house.work()
    assert live(house) == "1"
    done = made(house.as_("dave").get(f"/deployments/{wanted['id']}"))
    assert (done["status"], done["by"], done["note"]) == ("live", "bob", "recall fell")
    assert house.run(second)["model_status"] == "rolled_back"
    assert house.run(first)["model_status"] == "deployed"
    about = [e for e in house.events() if e.type in {"deployment.started", "deployment.rolled_back"}][-2:]
    assert [(e.type.value, e.actor) for e in about] == [
        ("deployment.started", "bob"),
        ("deployment.rolled_back", "system"),
    ]
    assert about[1].detail["by"] == "bob"
    assert house.registry.resolve(f"models:/{MODEL}/2", None).tags["signoff.status"] == "rolled_back"


def test_a_version_can_be_named(house: House) -> None:
    deployed(house, 3)
    made(house.as_("erin").post(PATH, {"why": "x", "to": "1"}))
    house.work()
    assert live(house) == "1"


def test_a_second_rollback_goes_further_back_and_not_forward(house: House) -> None:
    deployed(house, 3)
    for expected in ("2", "1"):
        made(house.as_("bob").post(PATH, {"why": "x"}))
        house.work()
        assert live(house) == expected
    with house.unchanged():
        answer = house.as_("bob").post(PATH, {"why": "x"})
    assert "was live in production before v1" in refused(answer, 409, "no_former_version")


def test_repeating_the_job_is_harmless(house: House) -> None:
    deployed(house, 2)
    wanted = made(house.as_("bob").post(PATH, {"why": "x"}))
    jobs = house.take_jobs()
    assert [arguments for _, arguments in jobs] == [{"deployment_id": wanted["id"]}]
    from signoff.engine.deploying_by_hand import deploy_by_hand

    deploy_by_hand(house.machinery, wanted["id"])
    with house.unchanged():
        deploy_by_hand(house.machinery, wanted["id"])
    assert live(house) == "1"


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "words"),
    [
        (PATH, {"why": "x", "to": "2"}, 409, "already_live", "is what production serves now"),
        (PATH, {"why": "x", "to": "9"}, 404, "never_live", "was never live"),
        (PATH, {"why": "  "}, 422, "reason_required", "needs a reason"),
        (PATH.replace("production", "mars"), {"why": "x"}, 422, "unknown_environment", "called mars"),
        (PATH.replace("production", "staging"), {"why": "x"}, 409, "nothing_live", "is live in staging"),
        (PATH.replace(MODEL, "churn"), {"why": "x"}, 404, "model_not_found", "no model called churn"),
    ],
)
def test_a_rollback_to_nowhere_is_refused(
    house: House, path: str, body: dict[str, str], status: int, code: str, words: str
) -> None:
    deployed(house, 2)
    with house.unchanged():
        answer = house.as_("bob").post(path, body)
    assert words in refused(answer, status, code)


@pytest.mark.parametrize("who", ["alice", "dave"])
def test_who_neither_approves_nor_administers_rolls_nothing_back(house: House, who: str) -> None:
    deployed(house, 2)
    with house.unchanged():
        answer = house.as_(who).post(PATH, {"why": "x"})
    assert f"{who} may not roll back" in refused(answer, 403, "not_allowed")


def test_a_second_rollback_waits_for_the_first(house: House) -> None:
    deployed(house, 2)
    made(house.as_("bob").post(PATH, {"why": "x"}))
    with house.unchanged():
        answer = house.as_("carol").post(PATH, {"why": "y"})
    assert "is under way" in refused(answer, 409, "deployment_under_way")


def test_a_rollback_to_bytes_that_changed_fails_and_the_present_version_stays(house: House) -> None:
    deployed(house, 2)
    house.tamper("1")
    wanted = made(house.as_("bob").post(PATH, {"why": "x"}))
    house.work()
    found = made(house.as_("dave").get(f"/deployments/{wanted['id']}"))
    assert found["status"] == "failed"
    assert "changed since they were approved" in found["note"]
    assert live(house) == "2"
    assert house.types()[-1] == "deployment.failed"


def test_a_version_that_is_revoked_before_a_worker_came_to_the_rollback_does_not_come_back(house: House) -> None:
    deployed(house, 2)
    wanted = made(house.as_("bob").post(PATH, {"why": "x"}))
    made(house.as_("carol").post(f"/models/{MODEL}/versions/1/revoke", {"why": "it leaks"}))
    house.work()
    found = made(house.as_("dave").get(f"/deployments/{wanted['id']}"))
    assert (found["status"], live(house)) == ("failed", "2")
    assert "fraud-detector v1 was revoked by carol meanwhile: it leaks." in found["note"]


def test_a_rollback_that_could_not_be_carried_out_leaves_the_present_version_and_may_be_asked_again(
    house: House,
) -> None:
    deployed(house, 2, LOCALLY)
    path = PATH.replace("production", "local")
    house.registry.is_down = True
    wanted = made(house.as_("bob").post(path, {"why": "x"}))
    house.work()
    assert made(house.as_("dave").get(f"/deployments/{wanted['id']}"))["status"] == "failed"
    present = house.deployer.current(LOCAL, MODEL)
    assert present is not None
    assert present.version == "2"
    house.registry.is_down = False
    made(house.as_("bob").post(path, {"why": "x"}))
    house.work()
    back = house.deployer.current(LOCAL, MODEL)
    assert back is not None
    assert back.version == "1"


def test_a_version_that_failed_its_last_health_check_is_not_rolled_back_to(house: House) -> None:
    deployed(house, 3, LOCALLY)
    path = PATH.replace("production", "local")
    house.deployer.failing = UnhealthyError("v2 did not get healthy.")
    wanted = made(house.as_("bob").post(path, {"why": "x"}))
    house.work()
    failed = made(house.as_("dave").get(f"/deployments/{wanted['id']}"))
    assert (failed["version"], failed["status"]) == ("2", "unhealthy")
    house.deployer.failing = None
    with house.unchanged():
        answer = house.as_("bob").post(path, {"why": "x", "to": "2"})
    said = refused(answer, 409, "last_deployment_unhealthy")
    assert said.startswith("fraud-detector v2 failed its health check when it was last deployed to local.")
    # Without a version the one before it is taken.
    assert made(house.as_("bob").post(path, {"why": "x"}))["version"] == "1"


def test_after_a_rollback_to_a_named_version_the_next_goes_back_in_time_from_there(house: House) -> None:
    deployed(house, 4)
    made(house.as_("bob").post(PATH, {"why": "x", "to": "2"}))
    house.work()
    assert live(house) == "2"
    # v3 was live in between, but only after v2.
    assert made(house.as_("bob").post(PATH, {"why": "x"}))["version"] == "1"


def test_what_was_deployed_after_a_rollback_leads_back_to_what_the_rollback_brought(house: House) -> None:
    deployed(house, 3)
    made(house.as_("bob").post(PATH, {"why": "x"}))
    house.work()
    deployed(house, 1)
    assert live(house) == "4"
    assert made(house.as_("bob").post(PATH, {"why": "x"}))["version"] == "2"


def test_a_run_queues_behind_a_rollback_and_goes_on_after_it(house: House) -> None:
    deployed(house, 2)
    third = house.submit()
    made(house.as_("bob").post(PATH, {"why": "x"}))
    rollback = house.take_jobs()
    house.decide("bob", third, "approve")
    assert house.status(third) == "running"
    from signoff.engine.deploying_by_hand import deploy_by_hand

    deploy_by_hand(house.machinery, rollback[0][1]["deployment_id"])
    house.work()
    assert (house.status(third), live(house)) == ("succeeded", "3")


def test_a_rollback_into_an_environment_that_was_removed_fails_and_frees_its_place(house: House) -> None:
    deployed(house, 2)
    wanted = made(house.as_("bob").post(PATH, {"why": "x"}))
    apply_environments(house.desk, SYSTEM, {LOCAL.name: LOCAL}, force=True)
    house.work()
    assert made(house.as_("dave").get(f"/deployments/{wanted['id']}"))["status"] == "failed"
