"""Registries of both kinds, the double in memory and MLflow on its default SQLite store, and what sets their scene."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from signoff.adapters.registry.memory import MemoryRegistry
from signoff.adapters.registry.mlflow import MlflowRegistry
from signoff.ports import Arrivals, Registry, Tracking

SERVABLE = {"MLmodel": b"flavors: {}\n", "data/weights.bin": b"\x00" * 100}
NUMBERS = itertools.count(1)


class Both(Registry, Tracking, Protocol):
    """What every adapter of this kind is."""


@dataclass
class World:
    """A registry and the means to set its scene, as scripts and strangers do."""

    registry: Both
    log: Callable[[str, Mapping[str, float], Mapping[str, str]], None]
    log_files: Callable[[str, Mapping[str, bytes]], None]
    register: Callable[[str, str, str], str]
    where: Callable[[str, str], Path]
    status: Callable[[str], str]
    arrivals: Arrivals
    arrive: Callable[[str, str | None], object]

    def run(self, files: Mapping[str, bytes] | None = None) -> str:
        run = self.registry.start_training_run(f"run-{next(NUMBERS)}/train/1", "fraud")
        self.log_files(run.id, under("model", files or {}))
        return run.id


def memory_world(folder: Path) -> World:
    registry = MemoryRegistry(folder)

    def arrive(model: str, by: str | None) -> object:
        return registry.arrive(model, SERVABLE, by=by)

    return World(
        registry,
        registry.log,
        registry.log_files,
        registry.register,
        registry.where,
        registry.status,
        registry,
        arrive,
    )


def mlflow_world(folder: Path) -> World:
    uri = f"sqlite:///{folder}/mlflow.db"
    registry = MlflowRegistry(uri, None, folder / "work")
    assert registry.alias("nothing", "champion") is None  # makes the store
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def log(run_id: str, metrics: Mapping[str, float], params: Mapping[str, str]) -> None:
        for name, number in metrics.items():
            client.log_metric(run_id, name, number)
        for name, value in params.items():
            client.log_param(run_id, name, value)

    def log_files(run_id: str, files: Mapping[str, bytes]) -> None:
        root = where_is(client.get_run(run_id).info.artifact_uri)
        written(root, files)

    def register(model: str, run_id: str, path: str) -> str:
        if not any(found.name == model for found in client.search_registered_models()):
            client.create_registered_model(model)
        source = f"{client.get_run(run_id).info.artifact_uri}/{path}"
        return str(client.create_model_version(model, source, run_id).version)

    def where(model: str, version: str) -> Path:
        return where_is(client.get_model_version_download_uri(model, version))

    def arrive(model: str, by: str | None) -> object:
        run = client.create_run("0", tags={} if by is None else {"mlflow.user": by})
        log_files(run.info.run_id, under("model", SERVABLE))
        return register(model, run.info.run_id, "model")

    def status(run_id: str) -> str:
        return str(client.get_run(run_id).info.status)

    return World(registry, log, log_files, register, where, status, registry.arrivals, arrive)


def under(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def where_is(uri: str) -> Path:
    assert uri.startswith("file:///")
    return Path(uri.removeprefix("file://"))


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
