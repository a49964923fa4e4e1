"""Making versions in MLflow: of what a run logged, or of a folder that was never in MLflow.

Only `mlflow` of this package imports it. Everything here may be repeated: the same bytes or the same place of the same
run become one version.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from signoff.adapters.registry.copies import copy_model
from signoff.adapters.registry.mlflow_connection import Connection, locked
from signoff.adapters.registry.mlflow_files import Files
from signoff.adapters.registry.mlflow_lookup import Lookup
from signoff.domain.errors import ModelNotFoundError, UnsafeModelError
from signoff.domain.version import Manifest, ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

SUBMISSIONS = "signoff/submissions"
"""The experiment of folders that were submitted without ever being logged."""
ORIGIN = "signoff.origin"
"""The tag of every version that signoff itself registered: such a one has its run, and is no news."""
COPY_OF = "signoff.copy_of"
"""The tag of a copy's version and run: which version it is a copy of."""
OURS = "signoff"
"""The folder among a run's artifacts where signoff puts what a training command left as ``output/model``."""
_READY_WITHIN = 60
_BATCH = 100
"""How many metrics and parameters MLflow takes in one request."""
_EXISTS = "RESOURCE_ALREADY_EXISTS"
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


class Registration:
    """Finds or makes versions."""

    def __init__(self, connection: Connection, files: Files, lookup: Lookup, work: Path) -> None:
        self._connection = connection
        self._files = files
        self._lookup = lookup
        self._work = work

    def experiment(self, name: str) -> str:
        """The id of the experiment `name`: found, brought back when it was deleted, or made."""
        with self._connection.asking() as client:
            found = client.get_experiment_by_name(name)
            if found is None:
                # Two workers may make the first run of an experiment at once; the server refuses the second.
                return self._made_or_found(name)
            if found.lifecycle_stage == "deleted":
                client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)

    def place(self, model: str, location: str, run_id: str | None, logged_model_id: str | None) -> str:
        """The version of `model` whose files are at `location`, made if there is none."""
        with self._locked(model):
            for version in self._lookup.versions_of_run(run_id) if run_id else ():
                if version.name == model and self._files.of_version(model, str(version.version)) == location:
                    return str(version.version)
            return self._create(model, location, run_id, logged_model_id)

    def folder(self, model: str, source: Path, run_id: str | None = None) -> tuple[str, Manifest]:
        """The version of `model` that holds the files of `source`: the newest if it has these bytes, else a new one.

        The files are logged to the run `run_id`, by default a new one in `SUBMISSIONS`. What a run delivers is its own
        version even when the last one has the same bytes: its metrics and parameters are what people will judge.
        """
        with self._files.scratch() as copy:
            manifest = copy_model(source, copy)
            with self._locked(model):
                newest = self._lookup.newest(model)
                if newest and run_id in {None, newest.run_id} and self._holds(newest, manifest):
                    return str(newest.version), manifest
                return self._upload(model, copy, manifest, run_id), manifest

    def copy(self, model: str, origin: ModelVersion, source: Path, manifest: Manifest) -> str:
        """The version of `model` that is a copy of `origin`, whose files are in `source`: found, or made."""
        with self._locked(model):
            for found in self._lookup.tagged(model, COPY_OF, origin.uri):
                if self._holds(found, manifest):
                    return str(found.version)
            return self._upload(model, source, manifest, None, origin)

    def _upload(
        self, model: str, copy: Path, manifest: Manifest, run_id: str | None, origin: ModelVersion | None = None
    ) -> str:
        experiment = self.experiment(SUBMISSIONS) if not run_id else ""
        # Named after its content: files of two tries never mix, and a repeated upload lands on itself.
        path = f"{OURS}/{manifest.digest.removeprefix('sha256:')[:16]}"
        with self._connection.transferring() as client:
            run = client.get_run(run_id) if run_id else client.create_run(experiment, run_name=model)
            client.log_artifacts(run.info.run_id, str(copy), path)
            if origin is not None:
                _describe(client, str(run.info.run_id), origin)
            if not run_id:
                client.set_terminated(run.info.run_id, "FINISHED")
        tags = {COPY_OF: origin.uri} if origin is not None else {}
        return self._create(model, f"{run.info.artifact_uri.rstrip('/')}/{path}", str(run.info.run_id), None, tags)

    def _create(
        self,
        model: str,
        location: str,
        run_id: str | None,
        logged_model_id: str | None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        from mlflow.exceptions import MlflowException

        with self._connection.asking() as client:
            try:
                client.create_registered_model(model)
            except MlflowException as error:
                if error.error_code != _EXISTS:
                    raise
            made = client.create_model_version(
                model,
                location,
                run_id,
                tags={ORIGIN: "submitted" if not tags else "copied", **(tags or {})},
                model_id=logged_model_id,
                await_creation_for=_READY_WITHIN,
            )
        return str(made.version)

    def _holds(self, version: MlflowVersion, manifest: Manifest) -> bool:
        label = f"{version.name} v{version.version}"
        try:
            location = self._files.of_version(version.name, str(version.version))
            return self._files.manifest(location, label) == manifest
        except (ModelNotFoundError, UnsafeModelError):
            return False

    def _made_or_found(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        root = self._connection.artifacts
        with self._connection.asking() as client:
            try:
                return str(client.create_experiment(name, (root / _folder_name(name)).as_uri() if root else None))
            except MlflowException as error:
                found = client.get_experiment_by_name(name)
                if error.error_code != _EXISTS or found is None:
                    raise
                return str(found.experiment_id)

    def _locked(self, model: str) -> AbstractContextManager[None]:
        return locked(self._work / f"register-{_folder_name(model)}.lock")


def _describe(client: MlflowClient, run_id: str, origin: ModelVersion) -> None:
    """Give the run of a copy what the original's run tells, so that whoever looks at the copy finds it there."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in origin.metrics.items()]
    params = [Param(name, value) for name, value in origin.lineage.params.items()]
    tags = [RunTag(COPY_OF, origin.uri)]
    if origin.lineage.training_run_id:
        tags.append(RunTag("signoff.training_run", origin.lineage.training_run_id))
    for start in range(0, max(len(metrics), len(params), 1), _BATCH):
        batch = slice(start, start + _BATCH)
        client.log_batch(run_id, metrics[batch], params[batch], tags if start == 0 else [])


def _folder_name(name: str) -> str:
    """`name` as a folder name that people recognise and no other name shares."""
    return f"{_UNFIT.sub('-', name).strip('.-')[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
