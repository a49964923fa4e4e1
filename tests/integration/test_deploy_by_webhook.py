"""A team's own service deploys when a signed webhook asks it to: whole runs against a real receiver on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploying_scene import ROLLBACK, deployed, log
from deploying_service import WEBHOOK_SECRET, Service, a_deploying_service
from factories import MODEL
from house import House, made
from signoff.adapters.deploy.webhook import WebhookDeployer
from signoff.outbound import Outbound


@pytest.fixture
def service(house: House, tmp_path: Path) -> Iterator[Service]:
    """The house's production is deployed to by this service."""
    (tmp_path / "secret").write_text(f"{WEBHOOK_SECRET}\n")
    with a_deploying_service() as service:
        deployers: dict[str, Any] = house.machinery.deployers  # type: ignore[assignment]
        deployers["webhook"] = WebhookDeployer(
            Outbound(deadline=2), house.registry, lambda: datetime.now(UTC), pause=0.05
        )
        service.secret_file = str(tmp_path / "secret")
        house.environments(service.environment("production", service.secret_file))
        yield service
        assert service.forged == 0


def test_the_service_is_asked_by_a_signed_request_that_says_all_there_is_to_know(
    house: House, service: Service
) -> None:
    address = "https://models.example.org/fraud"
    service.answer = {"status": "succeeded", "address": address}
    run_id = deployed(house)
    body = house.run(run_id)
    [deployment] = body["deployments"]
    assert (body["status"], deployment["address"], service.serving) == (
        "succeeded",
        "https://models.example.org/fraud",
        "1",
    )
    [(message_id, document)] = service.requests
    assert message_id == f"{run_id}/deploy/1/{deployment['id']}"
    assert document["type"] == "deployment.deploy"
    data = document["data"]
    assert data["approval"]["gates"][0]["step"] == "approve"
    assert {name: data[name] for name in data if name != "approval"} == {
        "action": "deploy",
        "key": message_id,
        "environment": "production",
        "model": MODEL,
        "version": "1",
        "digest": deployment["digest"],
        "model_uri": f"models:/{MODEL}/1",
        "run_id": run_id,
        "kind": "run",
        "former": None,
        "failed": None,
    }
    assert log(house, run_id).splitlines() == [
        f"[signoff] asks 127.0.0.1 for deploy of {MODEL} v1",
        "[signoff] 127.0.0.1 is done",
        f"[signoff] {MODEL} v1 is healthy",
    ]


def test_an_answer_of_202_is_asked_how_it_goes_until_it_is_done(house: House, service: Service) -> None:
    service.slow = 3
    run_id = deployed(house)
    assert house.status(run_id) == "succeeded"
    assert service.polls == [service.requests[0][0]] * 3
    assert "127.0.0.1: 2 of 3 replicas\n" in log(house, run_id)


def test_a_page_that_does_not_say_how_it_goes_is_no_success(house: House, service: Service) -> None:
    service.slow, service.location = 1, "/health"
    assert "127.0.0.1 did not say how it goes." in house.run(deployed(house))["error"]


def test_what_fails_fails_the_deployment_with_its_reason_and_is_taken_back(house: House, service: Service) -> None:
    deployed(house)
    service.fails["deploy"] = "no node has a free gpu"
    run_id = deployed(house)
    body = house.run(run_id)
    assert (body["status"], body["deployments"][0]["status"], service.serving) == ("errored", "failed", "1")
    assert "127.0.0.1 says that it failed: no node has a free gpu. v1 is back." in body["deployments"][0]["note"]
    assert service.asked() == [("deploy", "1"), ("deploy", "2"), ("rollback", "1")]
    message_id, document = service.requests[-1]
    assert message_id == f"{service.requests[-2][0]}/rollback" == document["data"]["key"]
    assert document["data"]["failed"]["version"] == "2"


def test_a_way_back_that_fails_as_well_is_said(house: House, service: Service) -> None:
    deployed(house)
    service.slow = 1
    service.fails |= {"deploy": "one", "rollback": "two"}
    note = house.run(deployed(house))["deployments"][0]["note"]
    assert "says that it failed: one. Going back to v1 failed as well: 127.0.0.1 says that it failed: two." in note


def test_a_version_that_does_not_get_healthy_is_taken_back(house: House, service: Service) -> None:
    deployed(house)
    impatient(house, service)
    service.is_healthy = False
    body = house.run(deployed(house))
    assert (body["status"], body["deployments"][0]["status"], service.serving) == ("failed", "unhealthy", "1")
    assert (
        "did not get healthy within 0s: 127.0.0.1 answered with HTTP 503. v1 is back." in body["deployments"][0]["note"]
    )


def test_a_service_that_does_not_answer_is_asked_again_under_the_same_id_and_nothing_is_taken_back(
    house: House, service: Service
) -> None:
    deployed(house)
    service.status = 503
    run_id = deployed(house)
    assert (house.status(run_id), service.serving, len(service.refused)) == ("errored", "1", 3)
    assert len(set(service.refused)) == 1
    service.status = 200
    made(house.as_("alice").post(f"/runs/{run_id}/retry"))
    house.work()
    assert (house.status(run_id), service.serving) == ("succeeded", "2")
    assert service.requests[-1][0] not in service.refused


def test_a_request_that_is_refused_is_not_repeated(house: House, service: Service) -> None:
    service.status = 422
    run_id = deployed(house)
    assert (house.status(run_id), len(service.refused)) == ("errored", 1)
    assert "127.0.0.1 answered with HTTP 422." in house.run(run_id)["error"]


def test_how_it_goes_is_asked_of_the_same_host_only(house: House, service: Service) -> None:
    service.slow, service.location = 2, "http://169.254.169.254/latest/meta-data"
    run_id = deployed(house)
    assert "127.0.0.1 says to ask another host how it goes." in house.run(run_id)["error"]
    assert service.polls == []


def test_what_takes_too_long_is_taken_back(house: House, service: Service) -> None:
    deployed(house)
    impatient(house, service)
    service.slow = 1000
    run_id = deployed(house)
    assert "127.0.0.1 was not done within 0s: " in house.run(run_id)["deployments"][0]["note"]
    assert service.asked()[-1] == ("rollback", "1")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "splendid"}, "answered with the status 'splendid'"),
        ({"status": ["done"]}, "answered with the status \"['done']\""),
    ],
)
def test_an_answer_that_cannot_be_read_is_no_success(
    house: House, service: Service, answer: dict[str, Any], words: str
) -> None:
    service.answer = answer
    run_id = deployed(house)
    assert words in house.run(run_id)["error"]


def test_a_secret_that_cannot_be_one_signs_nothing(house: House, service: Service, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_")
    run_id = deployed(house)
    assert "The secret is none that webhooks are signed with." in house.run(run_id)["error"]
    assert service.requests == []


def test_whoever_reads_an_environment_sees_the_host_that_is_asked_and_no_path(house: House, service: Service) -> None:
    shown = made(house.as_("dave").get("/environments/production"))["deployer"]
    assert (shown["type"], shown["url"], shown["has_health_url"]) == ("webhook", "http://127.0.0.1", True)
    assert "/deploy" not in str(shown)


def test_a_rollback_by_hand_is_another_deployment_by_the_service(house: House, service: Service) -> None:
    deployed(house)
    deployed(house)
    wanted = made(house.as_("bob").post(ROLLBACK, {"why": "recall fell"}))
    house.work()
    message_id, document = service.requests[-1]
    assert (service.serving, message_id) == ("1", f"rollback/{wanted['id']}")
    assert (document["data"]["kind"], document["data"]["former"]["version"]) == ("rollback", "2")


def impatient(house: House, service: Service) -> None:
    """Everything has to be done within a third of a second."""
    environment = service.environment("production", service.secret_file, timeout=timedelta(seconds=0.3))
    deployer = replace(environment.deployer, health_timeout=timedelta(seconds=0.3))
    house.environments(replace(environment, deployer=deployer))
