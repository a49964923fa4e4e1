"""kill -9 of the worker, in every kind of step: nothing acknowledged is lost, nothing is done twice, every run ends."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from fault_scene import ROUNDS, a_scene, kill, until
from signoff.domain.run import RunStatus, StepStatus


def test_a_worker_killed_in_every_kind_of_step_leaves_nothing_undone_or_done_twice(
    tmp_path: Path, database_url: str
) -> None:
    with a_scene(tmp_path, database_url) as scene:
        points = {
            "training": "train-training",
            "testing": "test-testing",
            "opening": "alias-opening",
            "confirming": "fetch-confirming-confirm",
            "fetching": "fetch-fetching-deploy-1",
            "before": "before-effect-before",
            "after": "after-effect-after",
        }
        scene.hold(*points.values())
        first = scene.worker()
        ids = {
            "training": scene.submit("training"),
            "testing": scene.submit("testing", "test", "approve", "deploy"),
            "opening": scene.submit("opening", "policy", "deploy"),
            **{name: scene.submit(name, "approve", "deploy") for name in ("confirming", "fetching", "before", "after")},
        }
        for name in ("confirming", "fetching", "before", "after"):
            scene.wait(ids[name], RunStatus.WAITING)
            scene.approve(ids[name])
        scene.wait_held(*points.values())
        commands = scene.lines("pids")
        kill(first)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in commands), "the worker's commands are gone")
        scene.free(*points.values())
        scene.worker()
        for name in ("training", "testing"):
            scene.wait(ids[name], RunStatus.WAITING)
            scene.approve(ids[name])
        for run_id in ids.values():
            assert scene.wait(run_id).status is RunStatus.SUCCEEDED
            assert scene.types(run_id).count("deployment.succeeded") == 1
            assert scene.types(run_id).count("gate.decided") == 1
        assert sorted(scene.lines("effects")) == sorted(f"{name} 1" for name in ids)
        assert scene.run(ids["training"]).attempt.step("train").tries == 2
        assert scene.run(ids["testing"]).attempt.step("test").tries == 2
        assert scene.run(ids["after"]).attempt.step("deploy").tries == 2
        assert scene.run(ids["confirming"]).attempt.step("deploy").tries == 1


def test_a_step_in_which_workers_die_again_and_again_is_given_up_and_can_be_retried(
    tmp_path: Path, database_url: str
) -> None:
    from signoff.store import runs

    with a_scene(tmp_path, database_url) as scene:
        run_id = scene.submit("cursed", "train", "approve", "deploy")
        machinery = scene.machinery()
        for number in range(5):  # five deaths, as their rows tell of them
            with machinery.database.begin() as tx:
                run = runs.take_run(tx, run_id)
                runs.set_step(
                    tx, run, "train", status=StepStatus.RUNNING, at=machinery.clock(), tries=number + 1, audit=[]
                )
        machinery.database.close()
        scene.worker()
        run = scene.wait(run_id, RunStatus.ERRORED)
        assert "Workers died 5 times" in str(run.error)
        assert scene.lines("commands") == []
        scene.retry(run_id)
        assert scene.wait(run_id, RunStatus.WAITING).attempt.step("train").tries == 1


def chaos(tmp_path: Path, url: str, *, kills: int, models: int, seed: int) -> None:
    """Workers are killed at random moments while a script submits and decides."""
    moments = random.Random(seed)
    with a_scene(tmp_path, url) as scene:
        worker = scene.worker()
        ids = [scene.submit(f"model-{number}") for number in range(models)]
        approved = set[str]()
        for _ in range(kills):
            until_kill = time.monotonic() + moments.uniform(0.2, 1.2)
            while time.monotonic() < until_kill:
                for run_id in ids:
                    if run_id not in approved and scene.run(run_id).status is RunStatus.WAITING:
                        scene.approve(run_id)
                        approved.add(run_id)
                time.sleep(0.02)
            kill(worker)
            worker = scene.worker()
        for run_id in ids:
            if run_id not in approved:
                scene.wait(run_id, RunStatus.WAITING)
                scene.approve(run_id)
            scene.wait(run_id)
            assert scene.types(run_id).count("gate.decided") == 1
            assert scene.types(run_id).count("deployment.succeeded") == 1
        assert sorted(scene.lines("effects")) == sorted(f"model-{number} 1" for number in range(models))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_workers_killed_at_random_moments_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, database_url: str, seed: int
) -> None:
    chaos(tmp_path, database_url, kills=4, models=6, seed=seed)
