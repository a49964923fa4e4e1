"""What the contract tests share: a registry of each kind, which the tests of a module have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry_world import NUMBERS, SERVABLE, Both, World, memory_world, mlflow_world, written


@pytest.fixture(scope="module", params=["memory", "mlflow"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("registry")
    return memory_world(folder) if request.param == "memory" else mlflow_world(folder)


@pytest.fixture
def registry(world: World) -> Both:
    return world.registry


@pytest.fixture
def model() -> str:
    """A name of the test's own: the tests of this module share one registry."""
    return f"fraud-{next(NUMBERS)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "candidate", SERVABLE)
