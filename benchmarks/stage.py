"""The stage that the benchmarks share: an embedded Postgres in a throw-away home, the cast, and many waiting gates.

Imported by the benchmarks only. The database is durable, as a real one is; one real run is submitted and driven to
its gate, and the other waiting ones are copies of its rows. Everything is removed at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import machine
import psycopg
from psycopg.sql import SQL, Composable, Identifier
from sqlalchemy import Table

from signoff.adapters.blobs.memory import MemoryBlobs
from signoff.adapters.deploy.memory import MemoryDeployer
from signoff.adapters.registry.memory import MemoryRegistry
from signoff.adapters.runner.memory import MemoryRunner
from signoff.bootstrap.wiring import SERVICE_ROLE
from signoff.domain.actor import SYSTEM, Actor, Credential, Directory, Person, Role, actor_of
from signoff.domain.environment import LOCAL
from signoff.engine.advance import advance
from signoff.engine.machinery import Machinery
from signoff.service.administration import apply_people
from signoff.service.desk import Desk
from signoff.service.environments import apply_environments
from signoff.service.submission import Offer, Submission, submit_run
from signoff.store import embedded
from signoff.store.cluster import cluster_at
from signoff.store.database import Database
from signoff.store.migrate import upgrade
from signoff.store.tables import attempts, gates, runs, steps

MODELS = 64
FIRST = 100_000_000_000
"""The number, and so the id, of the first waiting run; its gate's id is this number behind 9999."""

ALICE = Person("alice", frozenset({Role.SUBMITTER}))
BOB = Person("bob", frozenset({Role.APPROVER}))
CAROL = Person("carol", frozenset({Role.APPROVER}))
DAVE = Person("dave", frozenset({Role.VIEWER}))
ERIN = Person("erin", frozenset({Role.ADMIN}))
CAST = (ALICE, BOB, CAROL, DAVE, ERIN)

PIPELINE = """
model: model-{number}
steps:
  - name: test
    type: test
    inputs:
      checks: [accuracy > 0.9]
  - name: approve
    type: approval
    inputs:
      approvers: ['bob', 'carol']
{condition}  - name: deploy
    type: deployment
    inputs:
      environment: local
"""


def by_people(number: int = 0) -> str:
    """A pipeline whose gate waits for people."""
    return PIPELINE.format(number=number, condition="")


def by_policy(number: int = 0) -> str:
    """A pipeline whose gate approves itself."""
    return PIPELINE.format(number=number, condition="      auto_approve_if: accuracy > 0.9\n")


def clock() -> datetime:
    return datetime.now(UTC)


def signed_in(person: Person) -> Actor:
    return actor_of(person, Credential.SESSION)


@dataclass(frozen=True)
class Stage:
    """A home with a running, migrated database; `url` is the service's own role, `owner` the tables'."""

    home: Path
    url: str
    owner: str

    def registry(self) -> MemoryRegistry:
        """The double with version 1 of every model: the same in every process that asks."""
        registry = MemoryRegistry(self.home / "registry")
        registry.log_files("made", {"model/MLmodel": b"flavors: {}\n", "model/weights": b"\1" * 4096})
        for number in range(MODELS):
            registry.register(f"model-{number}", "made", "model")
        return registry

    @contextmanager
    def desk(self, connections: int = 12) -> Iterator[Desk]:
        """What the service works with, as the server wires it, but for the registry and the blobs."""
        database = Database(self.url, pool_size=connections)
        try:
            yield Desk(database, self.registry(), MemoryBlobs(), clock, self.home, "http://localhost", lambda *_: None)
        finally:
            database.close()

    @contextmanager
    def machinery(self, connections: int = 8) -> Iterator[Machinery]:
        """What a worker works with: the registry's and the deployer's doubles."""
        database, registry = Database(self.url, pool_size=connections), self.registry()
        work = self.home / f"work-{os.getpid()}"
        try:
            yield Machinery(
                database=database,
                registry=registry,
                tracking=registry,
                runner=MemoryRunner({}),
                deployers={"server": MemoryDeployer(), "alias": MemoryDeployer()},
                blobs=MemoryBlobs(),
                work=work,
                clock=clock,
            )
        finally:
            database.close()

    def submit(self, desk: Desk, pipeline: str, number: int = 0) -> str:
        """Submit version 1 of a model as alice."""
        offer = Offer(f"models:/model-{number}/1", metrics={"accuracy": 0.95})
        return submit_run(desk, signed_in(ALICE), Submission(pipeline, offer))

    def open_gates(self, count: int, *, first: int = FIRST) -> None:
        """`count` runs that wait at their gates: one is really submitted and driven, the others are its copies."""
        with self.desk(2) as desk, self.machinery(2) as machinery:
            run_id = self.submit(desk, by_people())
            advance(machinery, run_id)
        with psycopg.connect(self.owner, autocommit=True) as connection:
            for table, column in ((runs, "id"), (attempts, "run_id"), (steps, "run_id"), (gates, "run_id")):
                copy_rows(connection, table, column, run_id, first, count)
            connection.execute("DELETE FROM procrastinate_jobs WHERE args->>'run_id' = %s", [run_id])
            connection.execute("VACUUM ANALYZE runs, attempts, steps, gates, decisions, audit_events")


def copy_rows(connection: psycopg.Connection, table: Table, column: str, run_id: str, first: int, count: int) -> None:
    """Copy a run's rows in `table` for the runs numbered from `first`."""
    made: dict[str, Composable] = {column: SQL("n::text")}
    if table is gates:
        made["id"] = SQL("'9999' || n")
        made["opened_at"] = SQL("opened_at + (n - {}) * interval '1 ms'").format(first)
    names = [one.name for one in table.columns]
    connection.execute(
        SQL("INSERT INTO {} ({}) SELECT {} FROM {}, generate_series({}, {}) AS n WHERE {} = {}").format(
            Identifier(table.name),
            SQL(", ").join(map(Identifier, names)),
            SQL(", ").join(made.get(name, Identifier(name)) for name in names),
            Identifier(table.name),
            first,
            first + count - 1,
            Identifier(column),
            run_id,
        )
    )


@contextmanager
def home(keep: Path | None = None) -> Iterator[Path]:
    """A throw-away SIGNOFF_HOME, or `keep`; its database is stopped at the end, also when told to terminate.

    The throw-away one is removed then, too.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if keep is not None:
        keep.mkdir(mode=0o711, parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder:
        path = Path(folder)
        try:
            yield path
        finally:
            embedded.stop(path)
            shutil.rmtree(cluster_at(path).folder, ignore_errors=True)


@contextmanager
def stage(keep: Path | None = None) -> Iterator[Stage]:
    """A running, migrated database with the cast in it; in the folder `keep`, where it stays for another time."""
    with home(keep) as path, embedded.running(path) as owner:
        upgrade(owner, service_role=SERVICE_ROLE)
        made = Stage(path, owner.replace("user=signoff", f"user={SERVICE_ROLE}"), owner)
        with made.desk(2) as desk:
            apply_people(desk, SYSTEM, Directory.of(CAST), {})
            apply_environments(desk, SYSTEM, {LOCAL.name: LOCAL})
        yield made


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Call `work` with 0, 1, ... in `count` threads; what one of them raises is raised here."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def percentile(values: Sequence[float], percent: int) -> float:
    """The `percent`th percentile of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def about(*packages: str) -> dict[str, object]:
    """The machine, how busy it is with other things, and the versions."""
    return machine.about("psycopg", "sqlalchemy", "procrastinate", *packages)


report = machine.report
