"""Drift and adopting with a real MLflow server, whose alias others move over HTTP, and a real model server process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from factories import MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made
from mlflow_server import MlflowServer, closed_port
from signoff.adapters.deploy.alias import AliasDeployer
from signoff.adapters.deploy.server import ServerDeployer, stop_all
from signoff.adapters.registry.mlflow import MlflowRegistry
from signoff.domain.drift import SELF_HEAL
from signoff.domain.environment import DeployerSpec
from signoff.engine import drift
from signoff.ports import Release
from tiny_models import write_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

SERVED = replace(PRODUCTION, deployer=DeployerSpec("server", "champion"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """One MLflow server for all of these tests; each has a model of its own."""
    made = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    made.start()
    yield made
    made.stop()


class Scene:
    """A house on that registry, and somebody who works in MLflow past signoff."""

    def __init__(self, house: House, server: MlflowServer, folder: Path) -> None:
        self.house, self.server, self.folder = house, server, folder
        self.registry = MlflowRegistry(server.url, None, folder / "work")
        self.deployer = ServerDeployer(folder / "serving", self.registry)
        house.desk = replace(house.desk, registry=self.registry)
        house.machinery = replace(
            house.machinery,
            registry=self.registry,
            tracking=self.registry,
            deployers={"alias": AliasDeployer(self.registry), "server": self.deployer},
        )
        self._made = 0
        self.version()
        self.version()

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client, as anybody may use it."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.server.url, registry_uri=self.server.url)

    def version(self) -> None:
        """Register another version of the model."""
        self._made += 1
        path = write_model(self.folder / f"m{self._made}", predict=f"return [{self._made}.0] * len(frame)")
        self.registry.resolve(str(path), self.model)

    @property
    def model(self) -> str:
        return f"{MODEL}-{self.folder.name}"

    def approve(self, version: str = "1") -> str:
        """`version` is signed off and deployed to production; its run."""
        run_id = self.house.submit(APPROVE_AND_DEPLOY, f"models:/{self.model}/{version}")
        self.house.decide("bob", run_id, "approve")
        assert self.house.status(run_id) == "succeeded"
        return run_id

    def look(self) -> list[dict[str, Any]]:
        """Two minutes later the tick looks and the workers do what follows; what is found of this model then."""
        self.house.clock.wait(minutes=2)
        drift.watch(self.house.machinery)
        self.house.work()
        found: list[dict[str, Any]] = made(self.house.as_("dave").get(f"/drifts?model={self.model}"))["items"]
        return found

    def alias(self) -> str:
        return str(self.client.get_model_version_by_alias(self.model, "champion").version)

    def runs(self) -> str:
        """The version that the model server itself says that it serves."""
        address = next(one["address"] for one in self.deployments() if one["status"] == "live")
        said = httpx2.get(f"{address}/version", timeout=5, trust_env=False).raise_for_status().json()
        return str(said["version"])

    def deployments(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = made(self.house.as_("dave").get(f"/deployments?model={self.model}"))["items"]
        return items

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [dict(e.detail) for e in self.house.events() if e.type == kind and e.model == self.model]


@pytest.fixture
def scene(house: House, server: MlflowServer, tmp_path: Path) -> Iterator[Scene]:
    """Two versions are registered; nothing is deployed."""
    made = Scene(house, server, tmp_path)
    yield made
    stop_all(tmp_path / "serving")


def test_an_alias_moved_in_mlflow_is_found_and_told_once_until_it_is_back(scene: Scene) -> None:
    scene.approve()
    assert scene.look() == []
    scene.client.set_registered_model_alias(scene.model, "champion", "2")
    (found,) = scene.look()
    assert found["sentence"] == (
        f"production serves {scene.model} v2 (its alias champion points there), and what was signed off is v1."
    )
    assert scene.look() == [found]
    assert len(scene.told("deployment.unapproved")) == 1
    scene.client.set_registered_model_alias(scene.model, "champion", "1")
    assert scene.look() == []
    assert len(scene.told("deployment.restored")) == 1
    scene.client.delete_registered_model_alias(scene.model, "champion")
    (gone,) = scene.look()
    assert (gone["version"], gone["signed_version"]) == (None, "1")


def test_a_registry_that_is_down_is_no_drift_and_hides_none_afterwards(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.approve()
    scene.client.set_registered_model_alias(scene.model, "champion", "2")
    machinery = scene.house.machinery
    nobody = MlflowRegistry(f"http://127.0.0.1:{closed_port()}", None, scene.folder / "nobody")
    scene.house.machinery = replace(machinery, tracking=nobody)
    assert scene.look() == []
    assert "the registry was not looked at" in caplog.text
    scene.house.machinery = machinery
    assert [one["version"] for one in scene.look()] == ["2"]


def test_what_was_signed_off_is_put_back_in_mlflow(scene: Scene) -> None:
    scene.house.environments(replace(PRODUCTION, self_heal=True), STAGING)
    scene.approve()
    scene.client.set_registered_model_alias(scene.model, "champion", "2")
    scene.house.clock.wait(minutes=2)
    drift.watch(scene.house.machinery)
    scene.house.work()
    assert scene.alias() == "1"
    assert [one["by"] for one in scene.deployments() if one["kind"] == "restore"] == [SELF_HEAL]
    assert scene.look() == []


def test_a_model_server_that_runs_something_else_is_found_by_its_own_word_and_put_right(scene: Scene) -> None:
    scene.house.environments(replace(SERVED, self_heal=True), STAGING)
    scene.approve()
    assert scene.runs() == "1"
    assert scene.look() == []
    _serve_behind(scene, "2")
    assert scene.runs() == "2"
    scene.client.set_registered_model_alias(scene.model, "champion", "1")  # and nobody sees it by the alias
    scene.look()
    (told,) = scene.told("deployment.unapproved")
    assert (told["seen_by"], told["found"], told["version"]) == ("server", "2", "1")
    assert scene.runs() == "1"
    assert scene.look() == []


def _serve_behind(scene: Scene, version: str) -> None:
    """Somebody on the machine has the model server serve another version, past signoff."""
    found = scene.registry.resolve(f"models:/{scene.model}/{version}", None)
    copy = scene.folder / "theirs"
    scene.registry.fetch(found, copy)
    scene.deployer.deploy(Release("theirs", SERVED, found, copy, {"run": "nobody"}))


def test_what_ran_before_signoff_came_is_adopted_with_its_bytes(scene: Scene) -> None:
    scene.client.set_registered_model_alias(scene.model, "champion", "1")
    (found,) = scene.look()
    assert found["sentence"].endswith("which nobody signed off there.")
    path = f"/environments/production/models/{scene.model}/adopt"
    done = made(scene.house.as_("erin").post(path, {"why": "it has served since 2023"}))
    scene.house.work()
    assert done["digest"] == scene.registry.resolve(f"models:/{scene.model}/1", None).digest
    assert (done["kind"], scene.alias()) == ("adopted", "1")
    assert scene.look() == []
    tags = scene.client.get_model_version(scene.model, "1").tags
    assert tags["signoff.status"] == "adopted"
    scene.house.decide("bob", done["run_id"], "approve", "after_review")
    assert scene.client.get_model_version(scene.model, "1").tags["signoff.status"] == "deployed"
