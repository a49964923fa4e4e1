"""The how-to page about MLflow, played with its own files against a real `mlflow server` with basic auth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
import uvicorn

from house import HOOK_SECRET, House, made, refused
from mlflow_accounts import EXAMPLE, GuardedMlflow, a_guarded_mlflow
from signoff.adapters.deploy.alias import AliasDeployer
from signoff.adapters.registry.mlflow import MlflowRegistry
from signoff.domain.errors import UnavailableError
from signoff.spec import read_environments, read_people
from trigger_scene import run_ids

DEV, PROD = "fraud-detector-dev", "fraud-detector"


@dataclass
class Scene:
    """signoff and MLflow, each with its people."""

    house: House
    mlflow: GuardedMlflow
    registry: MlflowRegistry

    def register(self, name: str = "dan") -> int:
        """What the example's training script registers for `name`."""
        return int(self.mlflow.script("register.py", name).strip().rpartition("v")[2])

    def add(self, **more: object) -> None:
        text = (EXAMPLE / "signoff.yaml").read_text()
        made(self.house.as_("alice").post("/pipelines", {"pipeline": text, **more}))
        self.house.work()

    def tags(self, model: str, version: int) -> dict[str, str]:
        return dict(self.registry.resolve(f"models:/{model}/{version}", None).tags)

    def champion(self) -> str | None:
        found = self.registry.alias(PROD, "champion")
        return found.version if found is not None else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedMlflow]:
    """One for the tests of this module; its rights are those of the example."""
    with a_guarded_mlflow(tmp_path_factory.mktemp("mlflow")) as found:
        said = found.script("rights.py", "admin", **found.passwords)
        assert said == "MLflow knows who may write where.\n"
        yield found


@pytest.fixture
def scene(house: House, server: GuardedMlflow, tmp_path: Path) -> Scene:
    house.clock.now = datetime.now(UTC)  # MLflow's webhooks are signed at this moment
    registry = MlflowRegistry(server.uri("signoff"), None, tmp_path / "registry-work")
    directory, problems = read_people((EXAMPLE / "people.yaml").read_text())
    assert directory is not None, problems
    house.people(*directory.people.values())
    environments, problems = read_environments((EXAMPLE / "environments.yaml").read_text(), directory=directory)
    assert environments is not None, problems
    house.environments(*environments.values())
    house.desk = replace(house.desk, registry=registry, arrivals=registry.arrivals)
    deployers = {"alias": AliasDeployer(registry)}
    house.machinery = replace(house.machinery, registry=registry, tracking=registry, deployers=deployers)
    return Scene(house, server, registry)


def test_a_version_that_a_script_registers_is_reviewed_copied_signed_off_and_marked(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    house = scene.house
    before = scene.champion()
    scene.add()
    version = scene.register()
    house.tick()
    run_id = run_ids(house)[version] or ""
    run = made(house.as_("alice").get(f"/runs/{run_id}"))
    assert (run["model"], run["status"], run["submitter"]) == (PROD, "waiting", "alice")
    assert run["note"] == f"{DEV} v{version} was registered in MLflow; by dan, as MLflow says."
    assert scene.champion() == before
    copied = int(run["version"])
    assert scene.tags(DEV, version)["signoff.status"] == "in_review"

    digest = made(house.as_("alice").get(f"/runs/{run_id}/gates/approve"))["digest"]
    verdict = {"verdict": "approve", "digest": digest, "comment": ""}
    decisions = f"/runs/{run_id}/gates/approve/decisions"
    refused(house.as_("fay").post(decisions, verdict), 403, "cannot_decide")
    made(house.as_("bob").post(decisions, verdict))
    house.work()

    assert scene.champion() == str(copied)
    original = scene.registry.resolve(f"models:/{DEV}/{version}", None)
    for model, number in ((PROD, copied), (DEV, version)):
        tags = scene.tags(model, number)
        assert (tags["signoff.status"], tags["signoff.approvers"]) == ("deployed", "bob")
        assert tags["signoff.digest"] == original.digest
        assert tags["signoff.link"] == f"http://testserver/runs/{run_id}"
    assert scene.tags(DEV, version)["signoff.copy"] == f"models:/{PROD}/{copied}"
    assert scene.mlflow.password("signoff") not in "".join(capfd.readouterr())


def test_ordinary_users_move_nothing_in_production_whatever_they_try(scene: Scene) -> None:
    house, mlflow = scene.house, scene.mlflow
    scene.add()
    version = scene.register()
    house.tick()
    alias = {"name": PROD, "alias": "champion", "version": "1"}
    tag = {"name": PROD, "version": "1", "key": "signoff.status", "value": "approved"}
    mine = {"name": PROD, "source": f"models:/{DEV}/{version}"}
    api = "/api/2.0/mlflow"
    for name in ("alice", "dan"):
        assert mlflow.ask(name, f"{api}/registered-models/alias", **alias) == 403
        assert mlflow.ask(name, f"{api}/registered-models/alias", "DELETE", name=PROD, alias="champion") == 403
        assert mlflow.ask(name, f"{api}/model-versions/set-tag", **tag) == 403
        assert mlflow.ask(name, f"{api}/model-versions/create", **mine) == 403
        assert mlflow.ask(name, f"{api}/registered-models/delete", "DELETE", name=PROD) == 403
        assert mlflow.ask(name, f"{api}/webhooks", name="mine", url="http://127.0.0.1/") in {400, 403}
    assert mlflow.ask("dan", f"{api}/registered-models/alias", **{**alias, "name": DEV, "alias": "mine"}) == 200


@pytest.mark.slow
def test_the_bytes_of_the_copy_are_out_of_ordinary_users_reach(scene: Scene) -> None:
    house, mlflow = scene.house, scene.mlflow
    scene.add()
    version = scene.register()
    house.tick()
    run = made(house.as_("alice").get(f"/runs/{run_ids(house)[version]}"))
    label = f"models:/{PROD}/{run['version']}"
    before = scene.registry.resolve(label, None).digest
    for model, number, status in ((PROD, run["version"], 403), (DEV, str(version), 200)):
        with scene.registry._connection.asking() as client:
            location = str(client.get_model_version_download_uri(model, number))
        path = location.removeprefix("mlflow-artifacts:/").strip("/")
        upload = f"/api/2.0/mlflow-artifacts/artifacts/{path}/weights.json"
        assert mlflow.ask("dan", upload, "PUT", amount=1.0) == status
    assert scene.registry.resolve(label, None).digest == before
    assert scene.registry.resolve(f"models:/{DEV}/{version}", None).digest != before


@pytest.mark.slow
def test_what_was_there_before_is_run_from_the_version_that_is_asked_for(scene: Scene) -> None:
    first, second = scene.register("alice"), scene.register()
    scene.add(since=first)
    assert list(run_ids(scene.house)) == [first, second]
    assert all(run_ids(scene.house).values())


def test_mlflows_own_webhook_has_the_new_version_run_at_once(scene: Scene) -> None:
    scene.add()
    with listening(scene.house) as address:
        hook = {"SIGNOFF_HOOK": f"{address}/api/v1/hooks/mlflow", "SIGNOFF_HOOK_SECRET": HOOK_SECRET}
        scene.mlflow.script("rights.py", "admin", **scene.mlflow.passwords, **hook)
        version = scene.register()
        until(lambda: scene.house.work() > 0)
    assert run_ids(scene.house)[version] is not None
    assert scene.house.kept()["used_hooks"][0] >= 1  # the copy that signoff makes rings, too


def test_an_account_that_may_not_read_is_said_to_be_not_let_in(scene: Scene, tmp_path: Path) -> None:
    stranger = MlflowRegistry(scene.mlflow.url.replace("//", "//nobody:nothing@"), None, tmp_path / "work")
    with pytest.raises(UnavailableError, match="did not let signoff in") as refusal:
        stranger.arrivals.newest(DEV)
    assert "MLFLOW_TRACKING_USERNAME" in refusal.value.hint


@pytest.mark.slow
def test_a_model_that_signoff_may_not_read_is_not_taken_for_one_without_versions(scene: Scene) -> None:
    hidden = {"username": "signoff", "resource_type": "registered_model", "resource_id": "hidden"}
    assert scene.mlflow.ask("alice", "/api/2.0/mlflow/registered-models/create", name="hidden") == 200
    grant = "/api/3.0/mlflow/users/permissions/grant"
    assert scene.mlflow.ask("admin", grant, **hidden, permission="DENY") == 200
    text = (EXAMPLE / "signoff.yaml").read_text().replace(DEV, "hidden")
    said = refused(scene.house.as_("alice").post("/pipelines", {"pipeline": text}), 503, "unavailable")
    assert "did not let signoff in" in said


@contextmanager
def listening(house: House) -> Iterator[str]:
    """The house's application on a port of loopback, for MLflow to call."""
    assert house.client is not None  # makes the application
    config = uvicorn.Config(house.client.app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
