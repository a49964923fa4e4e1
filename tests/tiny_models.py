"""MLflow models of a few lines, so that tests of serving need no training; and a registry's aliases."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signoff.domain.environment import LOCAL, Environment
from signoff.domain.errors import UnavailableError
from signoff.domain.version import ModelVersion
from signoff.ports import Release
from signoff.proof.manifest import manifest_of

CODE = """
import os, time

class Model:
    def predict(self, frame):
        {predict}

def _load_pyfunc(path):
    {load}
    return Model()
"""
COLUMNS = json.dumps([{"type": "double", "name": name, "required": True} for name in ("amount", "age")])
ANSWER = json.dumps([{"type": "double", "name": "score", "required": True}])
EXAMPLE = {"dataframe_split": {"columns": ["amount", "age"], "data": [[1.0, 2.0]]}}


def write_model(
    folder: Path, *, predict: str = "return frame['amount'].to_numpy()", load: str = "pass", inputs: str = COLUMNS
) -> Path:
    """An MLflow model in `folder` with two columns, one answer and an input example, made of these statements."""
    module = f"tiny_{folder.name}"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / f"{module}.py").write_text(CODE.format(predict=predict, load=load))
    (folder / "serving_input_example.json").write_text(json.dumps(EXAMPLE))
    description: dict[str, Any] = {
        "flavors": {
            "python_function": {
                "loader_module": module,
                "code": "code",
                "python_version": platform.python_version(),
            }
        },
        "saved_input_example_info": {"type": "dataframe", "serving_input_path": "serving_input_example.json"},
        "signature": {"inputs": inputs, "outputs": ANSWER, "params": None},
    }
    (folder / "MLmodel").write_text(json.dumps(description))  # JSON is YAML
    return folder


def release_of(
    path: Path, version: str, *, model: str = "fraud", environment: Environment = LOCAL, run: str = "run-1"
) -> Release:
    """The release of the bytes that are in `path` now."""
    submitted = ModelVersion(model, version, manifest_of(path).digest, str(path))
    return Release(f"{run}/deploy/1", environment, submitted, path, {"run": run, "by": ["bob"]})


class Aliases:
    """A registry's aliases and tags, in memory; it knows the versions that it was given."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], ModelVersion] = {}
        self.aliases: dict[tuple[str, str], str] = {}
        self.tags: dict[tuple[str, str], Mapping[str, str]] = {}
        self.is_down = False

    def add(self, *releases: Release) -> None:
        for release in releases:
            self.versions[release.version.model, release.version.version] = release.version

    def metrics(self, _: str, /) -> Mapping[str, float]:
        return {}

    def alias(self, model: str, alias: str, /) -> ModelVersion | None:
        self._answer()
        version = self.aliases.get((model, alias))
        return self.versions[model, version] if version else None

    def list_aliases(self) -> dict[str, dict[str, str]]:
        self._answer()
        found: dict[str, dict[str, str]] = {model: {} for model, _ in self.versions}
        for (model, alias), version in self.aliases.items():
            found[model][alias] = version
        return found

    def set_alias(self, model: str, alias: str, version: str, /) -> None:
        self._answer()
        self.aliases[model, alias] = version

    def set_tags(self, model: str, version: str, tags: Mapping[str, str], /) -> None:
        self._answer()
        self.tags[model, version] = tags

    def _answer(self) -> None:
        if self.is_down:
            raise UnavailableError("The registry did not answer.", "Try again later.")
