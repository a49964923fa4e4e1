"""A worker that is told to stop stops, and one that no longer hears of jobs begins again: at the worst of moments."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from fault_scene import Scene, a_scene, until
from signoff.domain.run import RunStatus
from signoff.engine import jobs
from signoff.engine.jobs import wake_run

QUEUES = sum(name.endswith("_QUEUE") for name in vars(jobs))


class Door:
    """The door to one database, which can be shut: who is in stays in, unless thrown out."""

    def __init__(self, admin: psycopg.Connection[Any], name: str) -> None:
        self._admin, self._name = admin, name

    def set_open(self, *, is_open: bool) -> None:
        query = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        self._admin.execute(query.format(sql.Identifier(self._name), sql.Literal(is_open)))

    def throw_out(self) -> None:
        self._admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self._name])

    def count_waiting(self) -> int:
        """How many connections wait for a lock."""
        return len(self._query("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"))

    def count_listening(self, queue: str) -> int:
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND query LIKE 'LISTEN%%' AND query LIKE %s"
        return len(self._query(query, f"%#{queue}%"))

    def _query(self, query: LiteralString, *values: str) -> list[Any]:
        return self._admin.execute(query, [self._name, *values]).fetchall()


@pytest.fixture
def door(database_url: str) -> Iterator[Door]:
    name = str(conninfo_to_dict(database_url)["dbname"])
    with psycopg.connect(database_url, dbname="postgres", autocommit=True) as admin:
        yield Door(admin, name)


@contextmanager
def a_worker_that_begins(scene: Scene, door: Door) -> Iterator[subprocess.Popen[bytes]]:
    """A worker all of whose queues have connected, and go on beginning afterwards."""
    with scene.desk.database.begin() as tx:
        tx.execute(text("LOCK TABLE procrastinate_workers"))
        worker = scene.worker()
        until(lambda: door.count_waiting() == QUEUES, "every queue begins")
        yield worker


def test_a_worker_hears_of_a_signal_that_the_kernel_gave_to_any_of_its_threads(
    tmp_path: Path, database_url: str, door: Door
) -> None:
    with a_scene(tmp_path, database_url) as scene:
        worker = scene.worker()
        until(lambda: door.count_listening("runs") == 1, "it works")
        other = next(
            int(task.name) for task in Path(f"/proc/{worker.pid}/task").iterdir() if int(task.name) != worker.pid
        )
        assert ctypes.CDLL(None).tgkill(worker.pid, other, signal.SIGTERM) == 0
        assert worker.wait(15) == 0


@pytest.mark.slow
def test_a_worker_told_to_stop_while_it_begins_stops(tmp_path: Path, database_url: str, door: Door) -> None:
    with a_scene(tmp_path, database_url) as scene:
        with a_worker_that_begins(scene, door) as worker:
            worker.send_signal(signal.SIGTERM)
            scene.wait_held(f"told-{worker.pid}")
        assert worker.wait(15) == 0


def test_a_worker_told_to_stop_while_the_database_is_away_stops(tmp_path: Path, database_url: str, door: Door) -> None:
    with a_scene(tmp_path, database_url) as scene:
        worker = scene.worker()
        until(lambda: door.count_listening("runs") == 1, "it works")
        door.set_open(is_open=False)
        door.throw_out()
        until(lambda: scene.log(worker).count("trying again") == QUEUES, "every queue has noticed")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


@pytest.mark.slow
def test_a_worker_that_goes_deaf_as_it_begins_hears_again_once_it_can(
    tmp_path: Path, database_url: str, door: Door
) -> None:
    with a_scene(tmp_path, database_url) as scene:
        with a_worker_that_begins(scene, door) as worker:
            door.set_open(is_open=False)
        until(lambda: "the database is away" in scene.log(worker), "it has noticed")
        door.set_open(is_open=True)
        until(lambda: door.count_listening("runs") == 1, "it listens")
        run_id = scene.submit("soon", "approve", "deploy")
        scene.wait(run_id, RunStatus.WAITING)

        def wake_ups() -> int:
            with scene.desk.database.begin() as tx:
                query = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'runs'"
                return int(tx.scalar(text(query)) or 0)

        began = time.monotonic()
        for _ in range(6):
            with scene.desk.database.begin() as tx:
                wake_run(tx, run_id)
            until(lambda: wake_ups() == 0, "the wake-up is dealt with")
        assert time.monotonic() - began < 3, "each waited for the poll"
