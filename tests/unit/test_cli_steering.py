from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fake_server import (
    NOON,
    FakeServer,
    deployment,
    ended,
    environment,
    page,
    run,
)
from signoff.wire.catalogue import AuditBody, ModelBody, VersionBody
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures

# steering and knowing


def test_cancel_and_retry_say_what_follows(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/runs/abc/cancel"] = ended("cancelled")
    server.routes["POST", "/runs/abc/retry"] = run(step="deploy_model")
    assert type_("cancel", "abc").out == "Run abc123 is cancelled.\n"
    assert type_("retry", "abc").out == "Run abc123 goes on at deploy_model.\n"


def test_a_rollback_is_waited_for(type_: Type, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signoff.cli.steering.POLL_S", 0)
    server.routes["POST", "/environments/production/models/fraud/rollback"] = deployment(status="deploying")
    server.routes["GET", "/deployments/d1"] = [deployment(status="deploying"), deployment()]
    said = type_("rollback", "production", "fraud", "--to", "2", "-m", "v3 is slow")
    assert said.status == 0
    assert said.out.splitlines() == [
        "Rolling fraud in production back to v2 ...",
        "✔ fraud v2 is live in production at http://127.0.0.1:9000.",
    ]
    sent = server.body("POST", "/environments/production/models/fraud/rollback")
    assert sent == {"why": "v3 is slow", "to": "2"}
    server.routes["GET", "/deployments/d1"] = deployment(status="failed", note="it did not answer")
    failed = type_("rollback", "production", "fraud", "-m", "why")
    assert failed.status == 1
    assert failed.err.startswith("error: The rollback to v2 failed: it did not answer.\n")


def test_models_deployments_and_environments_are_listed(type_: Type, server: FakeServer) -> None:
    version = VersionBody(
        model="fraud",
        version="3",
        model_status="deployed",
        run_id="abc123",
        submitter="alice",
        live_in=["production"],
        created_at=NOON,
    )
    server.routes["GET", "/models"] = page(ModelBody(name="fraud", versions=[version]))
    server.routes["GET", "/models/fraud"] = ModelBody(name="fraud", versions=[version])
    server.routes["GET", "/deployments"] = page(deployment())
    server.routes["GET", "/emergencies"] = page()
    server.routes["GET", "/drifts"] = page()
    server.routes["GET", "/environments"] = page(environment())
    server.routes["GET", "/environments/production"] = environment()
    assert type_("models").out.splitlines()[1].split()[:5] == ["fraud", "v3", "✔", "deployed", "production"]
    assert type_("models", "fraud", "--json").document["name"] == "fraud"
    assert type_("deployments").out.splitlines()[1].split()[:5] == ["production", "fraud", "v2", "✔", "live"]
    assert "2 of group:risk (risk); measured metrics" in type_("environment", "list").out
    shown = type_("environment", "show", "production").out
    assert "  demands 2 of group:risk (risk)\n  demands measured metrics\n" in shown
    assert "✔ fraud v2 is live at http://127.0.0.1:9000" in shown
    for words in (["models"], ["deployments"], ["environment", "list"], ["environment", "show", "production"]):
        assert type_(*words, "--json").document


def test_who_one_is_is_told(type_: Type, server: FakeServer) -> None:
    assert type_("whoami").out.splitlines() == [
        "bob (approver, in risk), by session",
        "at http://localhost:8010, signoff 0.1.0",
    ]


def test_the_audit_log_is_listed(type_: Type, server: FakeServer) -> None:
    event = AuditBody(
        index=7, type="gate.decided", actor="bob", at=NOON, run_id="abc123", detail={"verdict": "approve", "note": ""}
    )
    server.routes["GET", "/audit"] = page(event)
    said = type_("audit", "list", "--run", "abc", "--type", "gate.decided", "--actor", "bob")
    assert said.out.splitlines()[1].split()[-4:] == ["gate.decided", "bob", "abc123", "verdict=approve"]
    params = dict(server.seen[0].url.params)
    assert params == {"run": "abc", "type": "gate.decided", "actor": "bob", "limit": "50"}
    assert type_("audit", "list", "--json").document["items"][0]["index"] == 7


# being the server


def test_the_parts_of_the_stack_are_started_with_what_was_asked(
    type_: Type, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    monkeypatch.setattr("signoff.server.up_detached", lambda s, h, p: called.append(("up detached", s.home, h, p)))
    monkeypatch.setattr("signoff.server.up", lambda s, h, p: called.append(("up", s.home, h, p)))
    monkeypatch.setattr("signoff.server.serve", lambda s, h, p: called.append(("serve", s.home, h, p)))
    monkeypatch.setattr("signoff.server.down", lambda _: True)
    monkeypatch.setattr("signoff.bootstrap.work", lambda s, concurrency: called.append(("work", s.home, concurrency)))
    monkeypatch.setattr("signoff.bootstrap.migrate", lambda s: called.append(("migrate", s.home)))
    assert type_("up", "--port", "9000", "--detach").out.splitlines()[:2] == [
        "signoff is up at http://localhost:8010.",
        "  you are bob",
    ]
    assert type_("up").status == 0
    assert type_("serve", "--host", "::1").status == 0
    assert type_("worker", "--concurrency", "2").status == 0
    assert type_("migrate").out == "The tables are up to date.\n"
    assert type_("down").out == "signoff is down.\n"
    assert type_("down", "--json").document == {"was_up": True}
    assert called == [
        ("up detached", home, "127.0.0.1", 9000),
        ("up", home, "127.0.0.1", 8010),
        ("serve", home, "::1", 8010),
        ("work", home, 2),
        ("migrate", home),
    ]
