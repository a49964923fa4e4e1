"""kill -9 of Postgres while people decide and commands run: what was acknowledged is there, workers go on alone."""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from databases import home_in_memory
from fault_scene import ROUNDS, Scene, a_scene, until
from signoff.domain.errors import UnavailableError
from signoff.domain.run import RunStatus
from signoff.store import embedded
from signoff.store.database import Database
from signoff.store.migrate import upgrade


@contextmanager
def own_postgres() -> Iterator[tuple[Path, str]]:
    """A Postgres of this test alone, as durable as the real one."""
    with home_in_memory(f"killed-{uuid.uuid4().hex[:8]}") as home:
        url = embedded.start(home)
        try:
            upgrade(url)
            yield home, url
        finally:
            embedded.release(home)


def kill_postgres(home: Path) -> None:
    pid = embedded.status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists(), "Postgres is dead")


def approve_when_it_answers(scene: Scene, run_id: str) -> None:
    """Ask until the decision is acknowledged, or turns out to have been kept."""

    def is_done() -> bool:
        try:
            if "gate.decided" not in scene.types(run_id):
                scene.approve(run_id)
        except UnavailableError:
            return False
        return True

    until(is_done, f"{run_id} is approved")


def test_a_worker_lives_through_the_death_of_postgres_and_its_commands_too(tmp_path: Path) -> None:
    with own_postgres() as (home, url), a_scene(tmp_path, url) as scene:
        scene.hold("train-long")
        worker = scene.worker()
        long = scene.submit("long")
        others = [scene.submit(f"other-{number}", "approve", "deploy") for number in range(2)]
        for run_id in others:
            scene.wait(run_id, RunStatus.WAITING)
        scene.wait_held("train-long")
        kill_postgres(home)
        with pytest.raises(UnavailableError):
            scene.approve(others[0])
        embedded.start(home)
        approve_when_it_answers(scene, others[0])
        scene.wait(others[0])  # although a command runs on in the same worker
        scene.approve(others[1])
        began = time.monotonic()
        until(lambda: "deployment.started" in scene.types(others[1]), "the next step began")
        assert time.monotonic() - began < 3, "the worker is not itself again"
        scene.free("train-long")
        scene.wait(long, RunStatus.WAITING)
        scene.wait(others[1])
        assert scene.lines("commands").count("train long") == 1, "the command was not begun again"
        scene.approve(long)
        scene.wait(long)
        assert worker.poll() is None
        assert sorted(scene.lines("effects")) == ["long 1", "other-0 1", "other-1 1"]


def test_a_command_that_ends_while_postgres_is_away_was_not_in_vain(tmp_path: Path) -> None:
    with own_postgres() as (home, url), a_scene(tmp_path, url) as scene:
        scene.hold("train-patient")
        scene.worker()
        run_id = scene.submit("patient")
        scene.wait_held("train-patient")
        kill_postgres(home)
        scene.free("train-patient")
        until(lambda: bool(scene.lines("commands-done")), "the command has ended")
        embedded.start(home)
        scene.wait(run_id, RunStatus.WAITING)
        assert scene.lines("commands").count("train patient") == 1


def test_connections_that_went_stale_while_idle_are_replaced_unseen(tmp_path: Path) -> None:
    with own_postgres() as (home, url):
        database = Database(url, pool_size=3)
        with database.begin(), database.begin(), database.begin():
            pass
        kill_postgres(home)
        embedded.start(home)
        with database.begin() as one, database.begin() as two, database.begin() as three:
            assert [tx.scalar(text("SELECT 1")) for tx in (one, two, three)] == [1, 1, 1]
        database.close()


def chaos(tmp_path: Path, *, kills: int, models: int, seed: int) -> None:
    """Postgres is killed at random moments while a script submits and decides."""
    moments = random.Random(seed)
    with own_postgres() as (home, url), a_scene(tmp_path, url) as scene:
        scene.worker()
        ids: list[str] = []
        approved: set[str] = set()
        for _ in range(kills):
            until_kill = time.monotonic() + moments.uniform(0.3, 1.5)
            while time.monotonic() < until_kill:
                try:
                    if len(ids) < models:
                        ids.append(scene.submit(f"model-{len(ids)}", "test", "approve", "deploy"))
                    for run_id in ids:
                        if run_id not in approved and scene.run(run_id).status is RunStatus.WAITING:
                            scene.approve(run_id)
                            approved.add(run_id)
                except UnavailableError:
                    pass  # not acknowledged
                time.sleep(0.02)
            kill_postgres(home)
            embedded.start(home)
        assert all(scene.types(run_id).count("run.submitted") == 1 for run_id in ids)
        for run_id in ids:
            if run_id not in approved:
                until(lambda r=run_id: scene.run(r).status is not RunStatus.RUNNING, "it waits")  # type: ignore[misc]
                approve_when_it_answers(scene, run_id)
            scene.wait(run_id)
            assert scene.types(run_id).count("gate.decided") == 1
        effects = scene.lines("effects")
        assert len(effects) == len(set(effects))
        assert {f"model-{number} 1" for number in range(len(ids))} <= set(effects)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_postgres_killed_at_random_moments_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    chaos(tmp_path, kills=4, models=8, seed=seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_workers_stop_whenever_they_are_told_to_and_however_young_or_shaken(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    with own_postgres() as (home, url), a_scene(tmp_path, url) as scene:
        for shakes in ("stopped", "restarted", "away"):
            workers = [scene.worker() for _ in range(4)]
            for worker in workers:
                until(lambda w=worker: "worker ready" in scene.log(w), "it is ready")  # type: ignore[misc]
            time.sleep(moments.uniform(0, 1.5))
            if shakes == "stopped":
                for worker in workers:
                    worker.send_signal(signal.SIGSTOP)
            else:
                kill_postgres(home)
            time.sleep(moments.uniform(0, 1.5))
            if shakes == "restarted":
                embedded.start(home)
            for worker in workers:
                time.sleep(moments.uniform(0, 0.5))
                worker.send_signal(signal.SIGCONT)
                worker.send_signal(signal.SIGTERM)
            assert [worker.wait(20) for worker in workers] == [0] * 4
            embedded.start(home)
