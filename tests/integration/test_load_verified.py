"""Loading a version from a registry that only the caller names: not the process's own, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from signoff.adapters.registry.mlflow import MlflowRegistry
from signoff.domain.version import ModelVersion
from tiny_models import write_model

LOAD = """
import sys, pandas
from signoff.serving.load import load_verified
source, digest, tracking = sys.argv[1:]
model = load_verified(source, digest, tracking_uri=tracking)
print(model.predict(pandas.DataFrame({"amount": [3.0], "age": [2.0]})).tolist())
"""


@pytest.fixture
def registered(tmp_path: Path) -> tuple[ModelVersion, str]:
    """A model registered in a store of the test's own: the version, and the address of the store."""
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    registry = MlflowRegistry(tracking, None, tmp_path / "work")
    return registry.resolve(str(write_model(tmp_path / "model")), "fraud"), tracking


def _load(folder: Path, source: str, digest: str, tracking: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    return subprocess.run(
        [sys.executable, "-c", LOAD, source, digest, tracking],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_version_is_loaded_from_the_registry_that_is_named(
    registered: tuple[ModelVersion, str], tmp_path: Path
) -> None:
    version, tracking = registered
    done = _load(tmp_path / "elsewhere", f"models:/fraud/{version.version}", version.digest, tracking)
    assert done.stdout.endswith("[3.0]\n"), done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_version_that_the_registry_does_not_have_is_not_found(
    registered: tuple[ModelVersion, str], tmp_path: Path
) -> None:
    version, tracking = registered
    done = _load(tmp_path / "elsewhere", "models:/fraud/77", version.digest, tracking)
    assert "ModelNotFoundError: models:/fraud/77 is not there" in done.stderr
