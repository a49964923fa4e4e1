"""A signoff server made of wire bodies, for the client's own tests: it answers what it was told to, and remembers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2

from signoff.wire.body import Body, Page
from signoff.wire.catalogue import EnvironmentBody, MeBody
from signoff.wire.evidence import CheckBody, EvidenceBody, MetricBody
from signoff.wire.gates import DecisionBody, ExplanationBody, GateBody, RuleBody, StandingBody, SubjectBody
from signoff.wire.runs import AttemptBody, DeploymentBody, RunBody, SnapshotBody, StepBody

Answer = Body | httpx2.Response | Exception
Handler = Callable[[httpx2.Request], Answer]

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "d" * 64
URL = "http://localhost:8010"


@dataclass
class FakeServer:
    """Answers by (method, path below the prefix) with a body, a response, an error, a function, or these in turn."""

    routes: dict[tuple[str, str], Any] = field(default_factory=dict)
    seen: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/api/v1")
        answer = self.routes.get((request.method, path), problem(404, "not_found", f"There is nothing at {path}."))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer) and not isinstance(answer, type):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx2.Response):
            return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)
        status = 201 if request.method == "POST" and path in {"/runs", "/snapshots"} else 200
        return httpx2.Response(status, json=answer.model_dump(mode="json"))

    def sent(self, method: str, path: str) -> list[httpx2.Request]:
        """The requests of this kind, in order."""
        return [r for r in self.seen if r.method == method and r.url.path == f"/api/v1{path}"]

    def body(self, method: str, path: str) -> Any:
        """The JSON body of the one request of this kind."""
        (request,) = self.sent(method, path)
        return json.loads(request.content)


def problem(status: int, code: str, detail: str, hint: str = "", **more: Any) -> httpx2.Response:
    content = {"title": "no", "status": status, "code": code, "detail": detail, "hint": hint, **more}
    return httpx2.Response(status, json=content, headers={"Content-Type": "application/problem+json"})


def me(name: str = "bob") -> MeBody:
    return MeBody(
        name=name, roles=["approver"], groups=["risk"], models=["*"], credential="session", server=URL, version="0.1.0"
    )


def gate(**changes: Any) -> GateBody:
    values: dict[str, Any] = {
        "id": "g1",
        "run_id": "abc123",
        "step": "approve_model",
        "attempt": 1,
        "round": 1,
        "status": "open",
        "digest": DIGEST,
        "subject": SubjectBody(
            model="fraud",
            version="3",
            manifest_digest="sha256:" + "a" * 64,
            evidence_digests=["sha256:" + "e" * 64],
            pipeline_digest="sha256:" + "b" * 64,
            environment="production",
            attempt=1,
        ),
        "rules": [
            RuleBody(
                name="risk",
                approvers=["group:risk"],
                required_approvals=2,
                counted=["carol"],
                candidates=["bob"],
                missing=1,
            )
        ],
        "decisions": [DecisionBody(id="d1", by="carol", verdict="approve", digest=DIGEST, at=NOON)],
        "opened_at": NOON,
    }
    return GateBody(**{**values, **changes})


def run(**changes: Any) -> RunBody:
    """A run that waits at its gate, after a test with a metric and two checks."""
    values: dict[str, Any] = {
        "id": "abc123",
        "model": "fraud",
        "version": "3",
        "status": "waiting",
        "model_status": "in_review",
        "pipeline": "fraud-detector",
        "step": "approve_model",
        "attempt": 1,
        "max_attempts": 3,
        "submitter": "alice",
        "note": "retrained on October",
        "waits_for": "approve_model waits for 1 more approval for risk, from bob.",
        "can_unblock": ["bob"],
        "created_at": NOON,
        "url": f"{URL}/runs/abc123",
        "pipeline_digest": "sha256:" + "b" * 64,
        "attempts": [attempt()],
    }
    return RunBody(**{**values, **changes})


def ended(status: str, **changes: Any) -> RunBody:
    """A run that has ended in `status`."""
    return run(status=status, model_status=status, waits_for=None, can_unblock=[], step=None, **changes)


def attempt(**changes: Any) -> AttemptBody:
    evidence = EvidenceBody(
        digest="sha256:" + "e" * 64,
        metrics=[
            MetricBody(
                name="recall", value=0.931, provenance="measured", low=0.915, high=0.947, n=1200, step="test_model"
            ),
            MetricBody(name="auc", value=0.9, provenance="claimed"),
        ],
        checks=[
            CheckBody(name="recall > 0.9", expression="recall > 0.9", status="passed", severity="fail", reason="it is"),
            CheckBody(name="fast", expression="latency < 1", status="failed", severity="warn", reason="latency is 2"),
        ],
    )
    values: dict[str, Any] = {
        "number": 1,
        "cause": "submitted",
        "version": "3",
        "steps": [
            StepBody(name="test_model", type="test", status="succeeded", tries=1, started_at=NOON, evidence=evidence),
            StepBody(name="approve_model", type="approval", status="waiting", tries=0),
            StepBody(name="deploy_model", type="deployment", status="pending", tries=0),
        ],
        "gates": [gate()],
    }
    return AttemptBody(**{**values, **changes})


def explanation() -> ExplanationBody:
    return ExplanationBody(
        step="approve_model",
        status="open",
        sentence="approve_model waits for 1 more approval for risk, from bob.",
        rules=["risk: 1 of 2 by carol; named are group:risk"],
        people=[
            StandingBody(person="alice", can_decide=False, why="submitted or contributed to this version"),
            StandingBody(person="bob", can_decide=True, why="may decide for risk"),
        ],
    )


def deployment(**changes: Any) -> DeploymentBody:
    values: dict[str, Any] = {
        "id": "d1",
        "environment": "production",
        "model": "fraud",
        "version": "2",
        "digest": "sha256:" + "a" * 64,
        "status": "live",
        "kind": "run",
        "run_id": "abc123",
        "by": "system",
        "started_at": NOON,
        "live_at": NOON,
        "address": "http://127.0.0.1:9000",
    }
    return DeploymentBody(**{**values, **changes})


def environment(**changes: Any) -> EnvironmentBody:
    values: dict[str, Any] = {
        "name": "production",
        "deployer": {"type": "server", "alias": "champion"},
        "rules": [{"name": "risk", "approvers": ["group:risk"], "required_approvals": 2}],
        "require": {"measured": True, "checks_passed": False, "from": None},
        "live": [deployment()],
    }
    return EnvironmentBody(**{**values, **changes})


def page(*items: Any, following: str | None = None) -> Page[Any]:
    return Page[Any](items=list(items), next=following)


def snapshot(request: httpx2.Request) -> SnapshotBody:
    """What an upload answers: the digest of what came."""
    from hashlib import sha256

    data = request.read()
    return SnapshotBody(digest=f"sha256:{sha256(data).hexdigest()}", size=len(data))
