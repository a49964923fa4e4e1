"""A whole signoff in one process, on a real database: the desk, the machinery on the memory doubles, REST, a clock.

The cast are its people; the group risk is bob and carol. Tests of the service, the engine and the API take the fixture
`house` (made in `integration/conftest.py`) and talk to it over REST; `work` does what a worker would, job by job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import text

from factories import CAST, MODEL, NOON
from signoff.adapters.blobs.memory import MemoryBlobs
from signoff.adapters.deploy.alias import AliasDeployer
from signoff.adapters.deploy.memory import MemoryDeployer
from signoff.adapters.notify.memory import MemoryNotifier
from signoff.adapters.registry.memory import MemoryRegistry
from signoff.adapters.runner.memory import Command, MemoryRunner
from signoff.adapters.runner.snapshot import unpack
from signoff.domain.actor import SYSTEM, Actor, Credential, Directory, Person, actor_of
from signoff.domain.audit import AuditEvent
from signoff.domain.environment import LOCAL, DeployerSpec, Environment
from signoff.domain.secret import Secret
from signoff.domain.target import TargetKind
from signoff.engine import jobs
from signoff.engine.advance import advance
from signoff.engine.deploying_by_hand import deploy_by_hand
from signoff.engine.machinery import Machinery
from signoff.engine.notifying import notify
from signoff.engine.telling import tell
from signoff.engine.tick import tick
from signoff.engine.watching import look
from signoff.server import create_app
from signoff.service import arrivals
from signoff.service.administration import apply_people
from signoff.service.credentials import new_secret
from signoff.service.desk import Desk
from signoff.service.environments import apply_environments
from signoff.store.audit import list_events
from signoff.store.database import Database

# The library's own choice renders every local variable of a traceback, which takes longer than the tests.
structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
    logger_factory=structlog.stdlib.LoggerFactory(),
)

HOOK_SECRET = "what MLflow signs its webhooks with"
PRODUCTION = Environment("production", DeployerSpec("alias", "champion"), accept_claimed=True)
STAGING = Environment("staging", DeployerSpec("alias", "staging"), accept_claimed=True)

SECRETS = {p.name: {kind: new_secret(kind) for kind in (Credential.SESSION, Credential.TOKEN)} for p in CAST}

APPROVE_AND_DEPLOY = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""

_OWN_TABLES = text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name")


_APPS: list[FastAPI] = []
"""The one application of this process: making it takes longer than most tests."""


def _app(desk: Desk) -> FastAPI:
    _APPS.append(create_app(desk))
    return _APPS[0]


class Clock:
    """The time of the house: a millisecond later whenever it is asked, and as much later as a test says."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def wait(self, **by: float) -> None:
        """Let time go by."""
        self.now += timedelta(**by)


class Caller:
    """One person's way to REST: paths begin after /api/v1."""

    def __init__(self, client: TestClient, secret: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {secret}"}

    def ask(self, method: str, path: str, **more: Any) -> Response:
        headers = {**self._headers, **more.pop("headers", {})}
        response: Response = self._client.request(method, f"/api/v1{path}", headers=headers, **more)
        return response

    def get(self, path: str, **more: Any) -> Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Response:
        return self.ask("POST", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> Response:
        return self.ask("DELETE", path, **more)


@dataclass
class House:
    """Everything wired; close it when done."""

    database_url: str
    folder: Path
    clock: Clock = field(default_factory=Clock)
    database_clock: Callable[[], datetime] | None = None
    """The database's clock, where a test wants another one than everybody's."""
    commands: dict[str, Command] = field(default_factory=dict)
    deployer: MemoryDeployer = field(default_factory=MemoryDeployer)
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)

    def __post_init__(self) -> None:
        for name in ("work", "registry", "made"):
            (self.folder / name).mkdir()
        self.database = Database(self.database_url, pool_size=24, tell=tell)
        self.registry = MemoryRegistry(self.folder / "registry", self.clock)
        self.blobs = MemoryBlobs(clock=self._seconds)
        self.runner = MemoryRunner(self.commands)
        self.desk = Desk(
            self.database,
            self.registry,
            self.blobs,
            self.clock,
            self.folder / "work",
            "http://testserver",
            unpack,
            arrivals=self.registry,
            hook_secret=Secret(HOOK_SECRET),
        )
        self.machinery = Machinery(
            database=self.database,
            registry=self.registry,
            tracking=self.registry,
            runner=self.runner,
            deployers={"alias": AliasDeployer(self.registry), "server": self.deployer},
            blobs=self.blobs,
            work=self.folder / "work",
            clock=self.clock,
            database_clock=lambda _: (self.database_clock or self.clock)(),
            retry_pauses=(0.0, 0.0),
            notifiers=dict.fromkeys(TargetKind, self.notifier),
            url="http://testserver",
            look=lambda pipeline: arrivals.look(self.desk, pipeline),
        )
        self.people(*CAST)
        self.environments(PRODUCTION, STAGING)

    def _seconds(self) -> float:
        return self.clock.now.timestamp()

    def close(self) -> None:
        self.database.close()

    # Setting the scene

    def people(self, *people: Person) -> None:
        """Make these the people there are; those of the cast keep their credentials."""
        directory = Directory.of(people)
        apply_people(self.desk, SYSTEM, directory, {p.name: self._secrets(p.name) for p in people})

    def _secrets(self, name: str) -> Mapping[Credential, str]:
        kinds = (Credential.SESSION, Credential.TOKEN)
        return SECRETS.setdefault(name, {kind: new_secret(kind) for kind in kinds})

    def environments(self, *environments: Environment) -> None:
        """Make these the environments there are; `local` is always one."""
        named = {LOCAL.name: LOCAL} | {environment.name: environment for environment in environments}
        apply_environments(self.desk, SYSTEM, named)

    def version(self, *, model: str = MODEL, **metrics: Any) -> str:
        """Register a version of new bytes, which logged these metrics; its reference."""
        made = self.folder / "made" / str(len(list((self.folder / "made").iterdir())))
        made.mkdir()
        (made / "MLmodel").write_text("flavors: {}")
        (made / "weights").write_text(made.name)
        found = self.registry.resolve(str(made), model)
        self.registry.log(found.lineage.training_run_id or "", metrics)
        return f"models:/{model}/{found.version}"

    def tamper(self, version: str = "1", *, model: str = MODEL) -> None:
        """Change the bytes of a version behind everybody's back."""
        (self.registry.where(model, version) / "weights").write_text("tampered")

    # Talking to it

    @cached_property
    def client(self) -> TestClient:
        app = _app(self.desk) if not _APPS else _APPS[0]
        app.state.desk = app.state.measures._desk = self.desk
        return TestClient(app)

    def as_(self, name: str, credential: Credential = Credential.SESSION) -> Caller:
        """`name`, over REST."""
        return Caller(self.client, SECRETS[name][credential])

    def secret(self, name: str, credential: Credential = Credential.SESSION) -> str:
        """What `name` sends to be known."""
        return SECRETS[name][credential]

    def actor(self, name: str) -> Actor:
        """`name`, signed in, for calling the service itself."""
        return actor_of(next(p for p in CAST if p.name == name), Credential.SESSION)

    def submit(self, pipeline: str = APPROVE_AND_DEPLOY, model: str | None = None, **more: Any) -> str:
        """alice submits a version (a new one, unless named) and the workers do what they can; the run's id."""
        by = more.pop("by", "alice")
        if "upload" not in more and model is None:
            model = self.version()
        run_id = str(made(self.as_(by).post("/runs", {"pipeline": pipeline, "model": model or None, **more}))["id"])
        self.work()
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        """The run as dave reads it."""
        return made(self.as_("dave").get(f"/runs/{run_id}"))

    def status(self, run_id: str) -> str:
        return str(self.run(run_id)["status"])

    def step(self, run_id: str, name: str) -> dict[str, Any]:
        """The step in the newest attempt."""
        steps: list[dict[str, Any]] = self.run(run_id)["attempts"][-1]["steps"]
        return next(step for step in steps if step["name"] == name)

    def gate(self, run_id: str, step: str = "approve") -> dict[str, Any]:
        """The newest round of the gate."""
        return made(self.as_("dave").get(f"/runs/{run_id}/gates/{step}"))

    def says(self, who: str, run_id: str, verdict: str, step: str = "approve", **more: Any) -> Response:
        """What the server answers to this verdict; on the present digest and with a comment unless told otherwise."""
        body = {"verdict": verdict, "comment": "recall is too low" if verdict != "approve" else "", **more}
        if "digest" not in body:
            body["digest"] = self.gate(run_id, step)["digest"]
        credential = body.pop("credential", Credential.SESSION)
        return self.as_(who, credential).post(f"/runs/{run_id}/gates/{step}/decisions", body)

    def decide(self, who: str, run_id: str, verdict: str, step: str = "approve", **more: Any) -> None:
        """The same, which must be taken; then the workers do what they can."""
        made(self.says(who, run_id, verdict, step, **more))
        self.work()

    # What a worker does

    def advance(self, run_id: str) -> None:
        """What one job does."""
        advance(self.machinery, run_id)

    def work(self, machinery: Machinery | None = None) -> int:
        """Do every wake-up that waits, until none does; how many there were."""
        done = 0
        while jobs_waiting := self.take_jobs():
            for task, arguments in jobs_waiting:
                done += 1
                assert done < 100, "the wake-ups never end"
                if task == jobs.ADVANCE:
                    advance(machinery or self.machinery, arguments["run_id"])
                elif task == jobs.LOOK:
                    look(machinery or self.machinery, arguments["pipeline"])
                elif task == jobs.NOTIFY:
                    notify(machinery or self.machinery, arguments["target"])
                else:
                    deploy_by_hand(machinery or self.machinery, arguments["deployment_id"])
        return done

    def tick(self) -> None:
        """Two minute ticks and what they woke: after a long time the first one only takes note."""
        for _ in range(2):
            self.clock.wait(minutes=1)
            tick(self.machinery)
            self.work()

    def take_jobs(self) -> list[tuple[str, dict[str, str]]]:
        """Every wake-up that waits, taken out of the queue."""
        with self.database.begin() as tx:
            rows = tx.execute(text("SELECT id, task_name, args FROM procrastinate_jobs ORDER BY id")).all()
            tx.execute(text("DELETE FROM procrastinate_jobs WHERE id = ANY(:ids)"), {"ids": [row.id for row in rows]})
        return [(row.task_name, row.args) for row in rows]

    # Looking at what is kept

    def events(self, run_id: str | None = None) -> list[AuditEvent]:
        with self.database.begin() as tx:
            return list_events(tx, run_id=run_id, limit=10_000)

    def types(self, run_id: str | None = None) -> list[str]:
        """The types of the audit events, in order."""
        return [event.type.value for event in self.events(run_id)]

    def kept(self) -> dict[str, tuple[int, str]]:
        """Every table: how many rows, and a hash of all of them."""
        with self.database.begin() as tx:
            return {
                name: tuple(tx.execute(text(_FINGERPRINT.format(name=name))).one()) for name in tx.scalars(_OWN_TABLES)
            }

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nothing in the database changes meanwhile: no row, no audit event, no wake-up, no blob."""
        before = self.kept()
        yield
        after = self.kept()
        assert {name: after[name] for name in after if after[name] != before[name]} == {}


# When a credential was last used is noted for its owner, and changes nothing.
_ROW = "(to_jsonb(t) - 'last_used_at' - 'last_seen_at')::text"
_FINGERPRINT = "SELECT count(*), coalesce(md5(string_agg(ROW, '|' ORDER BY ROW)), '') FROM {name} t".replace(
    "ROW", _ROW
)


def made(response: Response) -> dict[str, Any]:
    """The body of an answer that must be a success."""
    assert response.is_success, response.text
    body: dict[str, Any] = response.json()
    return body


def refused(response: Response, status: int, code: str) -> str:
    """What a refusal says, hint included; it must be a problem with this status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["detail"]
    return f"{problem['detail']} {problem['hint']}".strip()
