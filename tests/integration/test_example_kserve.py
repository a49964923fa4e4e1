"""The how-to page of KServe, played: the example's own files, a real command, a cluster that holds to the schema."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from deploying_scene import deployed, log
from factories import MODEL
from house import House, made
from signoff.adapters.deploy.command import CommandDeployer
from signoff.adapters.runner.local import Limits, LocalRunner
from signoff.domain.environment import Environment
from signoff.spec import read_environments, read_people

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kserve"
SCHEMA = ROOT / "tests" / "kserve" / "inferenceservice.json"
TOKEN = "token-of-the-service-account"


class Cluster:
    """The folder behind the `kubectl` that is first on the worker's path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "bin").mkdir(parents=True)
        (root / "models" / MODEL).mkdir(parents=True)
        (root / "token").write_text(TOKEN)
        shutil.copy(SCHEMA, root / "schema.json")
        source = (ROOT / "tests" / "kserve" / "kubectl.py").read_text()
        kubectl = root / "bin" / "kubectl"
        kubectl.write_text(f"#!{sys.executable}\n{source}")
        kubectl.chmod(0o755)

    @property
    def service(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / f"{MODEL}.json").read_text())
        return found

    @property
    def served(self) -> str:
        return str(self.service["metadata"]["annotations"]["signoff/version"])


@pytest.fixture
def cluster(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster(tmp_path / "cluster")
    monkeypatch.setenv("PATH", str(cluster.root / "bin"), prepend=":")
    directory, problems = read_people((EXAMPLE / "people.yaml").read_text())
    assert directory is not None, problems
    text = (EXAMPLE / "environments.yaml").read_text()
    for there, here in (
        ("/etc/signoff/kserve/deploy.py", EXAMPLE / "deploy.py"),
        ("/mnt/models", cluster.root / "models"),
        ("/run/secrets/kube-token", cluster.root / "token"),
    ):
        assert there in text
        text = text.replace(there, str(here))
    environments, problems = read_environments(text, directory=directory)
    assert environments is not None, problems
    assert problems == ()
    house.environments(*environments.values())
    deployers: dict[str, Any] = house.machinery.deployers  # type: ignore[assignment]
    deployers["command"] = CommandDeployer(LocalRunner(Limits(poll=0.05)), house.registry, pause=0.05)
    return cluster


def patience(house: House, seconds: float) -> None:
    """A new version has so long to get healthy."""
    from signoff.store.environments import get_environments

    with house.database.begin() as tx:
        production: Environment = get_environments(tx)["production"]
    deployer = replace(production.deployer, health_timeout=timedelta(seconds=seconds))
    house.environments(replace(production, deployer=deployer))


def test_the_approved_bytes_are_served_by_an_inference_service_that_kserve_takes(
    house: House, cluster: Cluster
) -> None:
    run_id = deployed(house)
    body = house.run(run_id)
    assert body["status"] == "succeeded", body["error"]
    [deployment] = body["deployments"]
    assert deployment["address"] == f"http://{MODEL}.models.example.com"
    folder = deployment["digest"].replace(":", "-")
    model = cluster.service["spec"]["predictor"]["model"]
    assert model["storageUri"] == f"pvc://models/{MODEL}/{folder}"
    assert (cluster.root / "models" / MODEL / folder / "weights").is_file()
    assert cluster.service["metadata"]["annotations"]["signoff/digest"] == deployment["digest"]
    assert "inferenceservice.serving.kserve.io/fraud-detector created" in log(house, run_id)
    assert TOKEN not in log(house, run_id)


def test_what_the_cluster_refuses_leaves_the_former_version(house: House, cluster: Cluster) -> None:
    deployed(house)
    (cluster.root / "quota").write_text("2")  # versions that are refused
    body = house.run(deployed(house))
    assert (body["status"], cluster.served) == ("errored", "1")
    assert (
        "The command that deploys to production failed: Error from server (Forbidden): exceeded quota: gpus, "
        "requested: 1, used: 4, limited: 4. v1 is back."
    ) in body["deployments"][0]["note"]


def test_a_version_that_does_not_get_ready_goes_back_to_the_bytes_that_are_still_there(
    house: House, cluster: Cluster
) -> None:
    deployed(house)
    patience(house, 1.5)
    (cluster.root / "slow").touch()
    body = house.run(deployed(house))
    assert (body["status"], cluster.served) == ("failed", "1")
    assert "not ready: Ready: 0 of 1 replicas are available. v1 is back." in body["deployments"][0]["note"]


def test_a_rollback_applies_the_former_version(house: House, cluster: Cluster) -> None:
    deployed(house)
    deployed(house)
    assert cluster.served == "2"
    made(house.as_("bob").post(f"/environments/production/models/{MODEL}/rollback", {"why": "recall fell"}))
    house.work()
    assert (cluster.served, cluster.service["metadata"]["generation"]) == ("1", 3)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "predictor", "model", "storageURI"), "pvc://models/x"),
        (("spec", "predictor", "model", "modelFormat"), "mlflow"),
        (("spec", "predictors"), {}),
        (("spec",), {}),
    ],
)
def test_the_schema_refuses_what_kserve_does_not_know(
    house: House, cluster: Cluster, path: tuple[str, ...], value: object
) -> None:
    deployed(house)
    manifest = cluster.service
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert validator.is_valid(manifest)
    inner = manifest
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert not validator.is_valid(manifest)
