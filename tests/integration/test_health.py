"""/healthz, /readyz and /metrics: truthful, for whoever asks, and naming nobody."""

from __future__ import annotations

from dataclasses import replace

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from factories import MODEL
from house import House
from signoff.server import create_app
from signoff.store.database import Database


def values(house: House) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = TestClient(create_app(house.desk)).get("/metrics")
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_the_process_says_that_it_lives(house: House) -> None:
    answer = house.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_house_with_everything_is_ready_though_no_worker_is_there_and_says_so(house: House) -> None:
    answer = house.client.get("/readyz")
    parts = answer.json()["parts"]
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert {name: part["ok"] for name, part in parts.items()} == {
        "database": True,
        "schema": True,
        "workers": False,
        "files": True,
    }


def test_a_house_without_its_database_is_not_ready_but_lives(house: House) -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    client = TestClient(create_app(replace(house.desk, database=gone)))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert "did not answer" in answer.json()["parts"]["database"]["detail"]
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 503
    refusal = client.get("/api/v1/me", headers={"Authorization": f"Bearer {house.secret('bob')}"})
    assert (refusal.status_code, refusal.json()["code"], refusal.headers["retry-after"]) == (503, "unavailable", "5")
    gone.close()


def test_a_house_with_an_old_schema_is_not_ready(house: House) -> None:
    with house.database.begin() as tx:
        tx.exec_driver_sql("UPDATE signoff_migrations SET version_num = '0000'")
    answer = house.client.get("/readyz")
    assert answer.status_code == 503
    assert "signoff migrate" in answer.json()["parts"]["schema"]["detail"]


def test_the_figures_are_what_they_say(house: House) -> None:
    waiting, decided = house.submit(), house.submit()
    house.decide("bob", decided, "approve")
    house.clock.wait(hours=2)
    found = values(house)
    assert found["signoff_runs", (("status", "waiting"),)] == 1
    assert found["signoff_runs", (("status", "succeeded"),)] == 1
    assert found["signoff_decisions", (("verdict", "approve"),)] == 1
    assert found["signoff_gate_waiting_seconds_count", ()] == 1
    assert found["signoff_gate_waiting_seconds_bucket", (("le", "3600"),)] == 0
    assert found["signoff_gate_waiting_seconds_bucket", (("le", "+Inf"),)] == 1
    assert found["signoff_queue_depth", ()] == 0
    assert found["signoff_workers", ()] == 0
    assert waiting


def test_the_figures_name_no_model_and_nobody(house: House) -> None:
    run_id = house.submit()
    text = TestClient(create_app(house.desk)).get("/metrics").text
    for name in (MODEL, run_id, "alice", "bob"):
        assert name not in text


def test_requests_are_counted(house: House) -> None:
    client = TestClient(create_app(house.desk))
    client.get("/api/v1/me")
    client.get("/healthz")
    text = client.get("/metrics").text
    assert 'signoff_http_requests_total{method="GET",status="401"} 1.0' in text
    assert 'signoff_http_requests_total{method="GET",status="200"} 1.0' in text


def test_an_empty_house_has_figures_too(house: House) -> None:
    assert values(house)["signoff_gate_waiting_seconds_count", ()] == 0
