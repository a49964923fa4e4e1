"""Several workers and one run: a stalled one that wakes up, races, repeated and lost wake-ups, clocks that jump."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from sqlalchemy import text

from fault_scene import ROUNDS, a_scene, until
from signoff.domain.run import RunStatus
from signoff.engine.advance import advance
from signoff.engine.jobs import wake_run
from signoff.engine.tick import wake_stuck


def test_a_stalled_worker_that_wakes_up_writes_nothing_and_deploys_nothing(tmp_path: Path, database_url: str) -> None:
    with a_scene(tmp_path, database_url) as scene:
        scene.hold("train-trained", "fetch-deployed-deploy-1")
        stalled = scene.worker()
        trained = scene.submit("trained", "train", "approve", "deploy")
        deployed = scene.submit("deployed", "approve", "deploy")
        scene.wait(deployed, RunStatus.WAITING)
        scene.approve(deployed)
        scene.wait_held("train-trained", "fetch-deployed-deploy-1")
        stalled.send_signal(signal.SIGSTOP)
        scene.free("train-trained", "fetch-deployed-deploy-1")
        scene.worker()
        scene.wait(deployed)
        scene.wait(trained, RunStatus.WAITING)
        newer = scene.submit("deployed", "approve", "deploy", version=2)
        scene.wait(newer, RunStatus.WAITING)
        scene.approve(newer)
        scene.wait(newer)
        before = scene.types(trained), scene.types(deployed)
        stalled.send_signal(signal.SIGCONT)
        until(lambda: scene.log(stalled).count("this worker's part in the run is over") == 2, "it found out")
        assert (scene.types(trained), scene.types(deployed)) == before
        assert before[0].count("version.recorded") == before[1].count("deployment.succeeded") == 1
        scene.approve(trained)
        scene.wait(trained)
        assert scene.lines("effects") == ["deployed 1", "deployed 2", "trained 1"]


def test_workers_that_race_for_one_run_do_everything_once(tmp_path: Path, database_url: str) -> None:
    with a_scene(tmp_path, database_url) as scene:
        for round_ in range(3 * ROUNDS):
            run_id = scene.submit(f"raced-{round_}", "approve", "deploy")
            start = threading.Barrier(6)
            machineries = [scene.machinery() for _ in range(6)]

            def race(machinery: object, run_id: str = run_id, start: threading.Barrier = start) -> None:
                start.wait()
                advance(machinery, run_id)  # type: ignore[arg-type]

            for opens in (True, False):
                racers = [threading.Thread(target=race, args=[machinery]) for machinery in machineries]
                for racer in racers:
                    racer.start()
                for racer in racers:
                    racer.join()
                if opens:
                    assert scene.run(run_id).status is RunStatus.WAITING
                    assert scene.types(run_id).count("gate.opened") == 1
                    scene.approve(run_id)
            for machinery in machineries:
                machinery.database.close()
            assert scene.run(run_id).status is RunStatus.SUCCEEDED
            assert scene.types(run_id).count("deployment.succeeded") == 1
            assert scene.types(run_id).count("run.succeeded") == 1
        assert len(scene.lines("effects")) == 3 * ROUNDS


def test_fifty_wake_ups_of_one_run_begin_its_command_once(tmp_path: Path, database_url: str) -> None:
    with a_scene(tmp_path, database_url) as scene:
        scene.hold("train-popular")
        run_id = scene.submit("popular", "train", "approve", "deploy")
        scene.worker()
        scene.worker()
        scene.wait_held("train-popular")
        with scene.desk.database.begin() as tx:
            for _ in range(50):
                wake_run(tx, run_id)
        scene.free("train-popular")
        scene.wait(run_id, RunStatus.WAITING)

        def jobs() -> int:
            with scene.desk.database.begin() as tx:
                return int(tx.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'runs'")) or 0)

        until(lambda: jobs() == 0, "every wake-up is dealt with", patience=15)
        assert scene.lines("commands") == ["train popular"]
        assert scene.types(run_id).count("gate.opened") == 1


def test_a_lost_wake_up_is_mended_by_the_tick(tmp_path: Path, database_url: str) -> None:
    with a_scene(tmp_path, database_url) as scene:
        run_id = scene.submit("lost", "approve", "deploy")
        with scene.desk.database.begin() as tx:
            tx.execute(text("DELETE FROM procrastinate_jobs"))
        machinery = scene.machinery()
        assert wake_stuck(machinery) == 0, "it may still be on its way"
        scene.set_clock(180)
        assert wake_stuck(machinery) == 1
        assert wake_stuck(machinery) == 0, "a second wake-up is not needed"
        machinery.database.close()
        scene.worker()
        scene.wait(run_id, RunStatus.WAITING)


def test_a_clock_that_jumps_changes_neither_order_nor_end(tmp_path: Path, database_url: str) -> None:
    with a_scene(tmp_path, database_url) as scene:
        scene.worker()
        scene.hold("train-timeless", "test-timeless", "before-effect-timeless")
        run_id = scene.submit("timeless")
        scene.wait_held("train-timeless")
        scene.set_clock(3600)
        scene.free("train-timeless")
        scene.wait_held("test-timeless")
        scene.set_clock(-3600)
        scene.free("test-timeless")
        scene.wait(run_id, RunStatus.WAITING)
        scene.set_clock(3600)
        scene.approve(run_id)
        scene.wait_held("before-effect-timeless")
        scene.set_clock(-7200)
        scene.free("before-effect-timeless")
        scene.wait(run_id)
        wanted = ["run.submitted", "version.recorded", "gate.opened", "gate.decided", "gate.closed", "run.succeeded"]
        assert [kind for kind in scene.types(run_id) if kind in wanted] == wanted
        assert scene.lines("effects") == ["timeless 1"]
