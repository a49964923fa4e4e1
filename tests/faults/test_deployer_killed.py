"""kill -9 of the worker while a command or a team's service deploys: it is asked again, under the same key.

A command cannot be asked what it did, so it may do it twice; its key tells. A service that knows the id does it once.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploying_scene import Outside
from deploying_service import WEBHOOK_SECRET, a_deploying_service
from factories import BOB, ERIN, an_actor
from fault_scene import Scene, a_scene, kill, until
from signoff.domain.environment import Environment
from signoff.domain.run import RunStatus
from signoff.service.environments import apply_environments
from signoff.service.rollbacks import roll_back


@pytest.fixture
def scene(tmp_path: Path, database_url: str) -> Iterator[Scene]:
    (tmp_path / "scene").mkdir()
    with a_scene(tmp_path / "scene", database_url) as scene:
        yield scene


def outside_of(scene: Scene) -> Outside:
    """The environment is deployed to by a command."""
    outside = Outside(scene.root / "outside")
    deploy_to(scene, outside.environment("local"))
    return outside


def deploy_to(scene: Scene, environment: Environment) -> None:
    apply_environments(scene.desk, an_actor(ERIN), {"local": environment})


def approved(scene: Scene, model: str = "fraud", version: int = 1) -> str:
    """A run that a worker is about to deploy."""
    run_id = scene.submit(model, "approve", "deploy", version=version)
    scene.wait(run_id, RunStatus.WAITING)
    scene.approve(run_id)
    return run_id


def held(outside: Outside, action: str) -> Path:
    """The process of the command that waits in `action`."""
    until((outside.root / f"held-{action}").exists, f"the command holds in {action}")
    return Path("/proc", (outside.root / f"held-{action}").read_text())


@pytest.mark.parametrize(("action", "effects"), [("deploy", 1), pytest.param("health", 2, marks=pytest.mark.slow)])
def test_a_command_that_its_worker_died_under_ends_and_is_run_again_under_the_same_key(
    scene: Scene, action: str, effects: int
) -> None:
    outside = outside_of(scene)
    outside.tell(f"hold-{action}")
    first = scene.worker()
    run_id = approved(scene)
    process = held(outside, action)
    kill(first)
    until(lambda: not process.exists(), "the command ended with its worker")
    outside.forget(f"hold-{action}")
    scene.worker()
    scene.wait(run_id)
    [deployment] = [event.detail for event in scene.events(run_id) if event.type == "deployment.succeeded"]
    assert deployment["address"] == "http://models.example.org/fraud"
    keys = [seen["SIGNOFF_IDEMPOTENCY_KEY"] for seen in outside.seen("deploy")]
    assert (len(keys), len(set(keys))) == (2, 1)
    assert outside.lines("effects") == keys[:effects]
    assert scene.types(run_id).count("deployment.started") == 1


@pytest.mark.slow
def test_a_command_whose_worker_is_told_to_stop_is_run_again_by_the_next(scene: Scene) -> None:
    outside = outside_of(scene)
    outside.tell("hold-deploy")
    first = scene.worker()
    run_id = approved(scene)
    process = held(outside, "deploy")
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    assert not process.exists()
    outside.forget("hold-deploy")
    scene.worker()
    scene.wait(run_id)
    assert len({seen["SIGNOFF_IDEMPOTENCY_KEY"] for seen in outside.seen("deploy")}) == 1
    assert (outside.seen("rollback"), outside.serving) == ([], "1")


def test_a_rollback_that_its_worker_died_under_is_carried_out_by_the_next(scene: Scene) -> None:
    outside = outside_of(scene)
    first = scene.worker()
    for version in (1, 2):
        scene.wait(approved(scene, version=version))
    outside.tell("hold-deploy")
    wanted = roll_back(scene.desk, an_actor(BOB), "local", "fraud", to=None, why="recall fell")
    held(outside, "deploy")
    kill(first)
    outside.forget("hold-deploy")
    scene.worker()
    until(lambda: outside.serving == "1", "the former version serves")
    keys = {seen["SIGNOFF_IDEMPOTENCY_KEY"] for seen in outside.seen("deploy") if seen["SIGNOFF_KIND"] == "rollback"}
    assert keys == {f"rollback/{wanted}"}


def test_a_service_whose_caller_died_is_asked_again_under_the_same_id_and_does_it_once(scene: Scene) -> None:
    (scene.root / "secret").write_text(WEBHOOK_SECRET)
    with a_deploying_service() as service:
        deploy_to(scene, service.environment("local", str(scene.root / "secret")))
        service.holds.set()
        first = scene.worker()
        run_id = approved(scene)
        until(lambda: len(service.requests) == 1, "the service is asked")
        kill(first)
        service.holds.clear()
        service.released.set()
        scene.worker()
        scene.wait(run_id)
        assert len(service.requests) == 2
        assert service.done == [service.requests[0][0]]
        assert service.forged == 0
        assert scene.types(run_id).count("deployment.succeeded") == 1
