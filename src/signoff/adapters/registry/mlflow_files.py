"""Where MLflow keeps the files of a version, and copying them out.

Only `mlflow` and `mlflow_register` of this package import it. MLflow's own `models:/` download is not used: it asks the
process-wide current registry, hands out the registry's own folder when that is local, and writes into it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from signoff.adapters.registry.copies import copy_model, empty
from signoff.adapters.registry.mlflow_connection import Connection
from signoff.adapters.registry.reference import AliasedVersion, LoggedModel, NumberedVersion, RunArtifact, parse
from signoff.domain.errors import ModelNotFoundError, UnavailableError
from signoff.domain.version import LEFT_OUT, Manifest
from signoff.proof.manifest import manifest_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel as MlflowLoggedModel

_NO_LOGGED_MODELS = frozenset({"ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "FEATURE_DISABLED"})
_MODELS_OR_RUNS = re.compile(r"(models|runs):/")


class Files:
    """The bytes behind versions, runs and logged models, found by their location (``s3://bucket/...``)."""

    def __init__(self, connection: Connection, work: Path) -> None:
        self._connection = connection
        self._work = work

    def of_version(self, model: str, version: str) -> str:
        """The location of a registered version's files."""
        with self._connection.asking() as client:
            return self._settled(str(client.get_model_version_download_uri(model, version)))

    def of_logged_model(self, model_id: str) -> tuple[str, str | None]:
        """The location of a logged model's files, and the run that logged it."""
        with self._connection.asking() as client:
            logged = client.get_logged_model(model_id)
        return str(logged.artifact_location), logged.source_run_id

    def of_run(self, run_id: str, path: str) -> tuple[str, str | None]:
        """The location of what a run logged under `path`, and the id of the logged model that it belongs to.

        Since MLflow 3 `log_model` keeps a model's files apart from its run's; the older place is the second choice.
        """
        name, _, rest = path.partition("/")
        with self._connection.asking() as client:
            run = client.get_run(run_id)
            for logged in _logged_models(client, run.info.experiment_id, run_id):
                if logged.name == name:
                    location = str(logged.artifact_location)
                    return (f"{location}/{rest}" if rest else location), str(logged.model_id)
            return f"{run.info.artifact_uri.rstrip('/')}/{path}", None

    def logged_by(self, run_id: str) -> list[str]:
        """The names that a run logged models and other files under, for a refusal to say what there is."""
        with self._connection.asking() as client:
            run = client.get_run(run_id)
            models = [str(logged.name) for logged in _logged_models(client, run.info.experiment_id, run_id)]
            return sorted({*models, *(str(file.path) for file in client.list_artifacts(run_id))})

    def copy(self, location: str, target: Path, label: str) -> Manifest:
        """Copy what is at `location` into the empty folder `target`; `label` names it in a refusal.

        Raises:
            ModelNotFoundError: the files are gone.
            UnsafeModelError: files that a manifest cannot stand for.
        """
        local = _local(location)
        with _reading(label):
            return copy_model(local, target) if local else self._download(location, target)

    def manifest(self, location: str, label: str) -> Manifest:
        """The manifest of what is at `location`; raises as `copy` does."""
        local = _local(location)
        if not local:
            with self.scratch() as folder:
                return self.copy(location, folder, label)
        with _reading(label):
            return manifest_of(local)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder for the time of the block."""
        self._work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="model-", dir=self._work) as folder:
            yield Path(folder)

    def _settled(self, location: str) -> str:
        """`location` with MLflow's own indirections followed: versions of versions, of runs, of logged models."""
        while _MODELS_OR_RUNS.match(location):
            match parse(location):
                case LoggedModel(model_id):
                    location, _ = self.of_logged_model(model_id)
                case RunArtifact(run_id, path):
                    location, _ = self.of_run(run_id, path)
                case NumberedVersion(model, version):
                    return self.of_version(model, version)
                case AliasedVersion(model, alias):
                    with self._connection.asking() as client:
                        version = str(client.get_model_version_by_alias(model, alias).version)
                    return self.of_version(model, version)
                case Path():
                    break
        return location.rstrip("/")

    def _download(self, location: str, target: Path) -> Manifest:
        empty(target)
        with self.scratch() as scratch:
            with self._connection.transferring():
                from mlflow.artifacts import download_artifacts

                found = Path(
                    download_artifacts(
                        artifact_uri=location,
                        dst_path=str(scratch),
                        tracking_uri=self._connection.tracking_uri,
                        registry_uri=self._connection.registry_uri,
                    )
                )
            for file in list(found.iterdir()) if found.is_dir() else [found]:
                if file.name not in LEFT_OUT or file.is_dir():
                    shutil.move(file, target / file.name)
        return manifest_of(target)


@contextmanager
def _reading(label: str) -> Iterator[None]:
    try:
        yield
    except ModelNotFoundError as error:
        raise ModelNotFoundError(
            f"The files of {label} are not where the registry says.", "They were deleted or moved: register again."
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"The files of {label} could not be copied: {error.strerror or error}.", "Check the disk of this machine."
        ) from error


def _logged_models(client: MlflowClient, experiment_id: str, run_id: str) -> list[MlflowLoggedModel]:
    """What `log_model` made in the run, newest first; nothing with a server older than MLflow 3."""
    from mlflow.exceptions import MlflowException

    found: list[MlflowLoggedModel] = []
    token: str | None = None
    while True:
        try:
            page = client.search_logged_models(
                [experiment_id], filter_string=f"source_run_id = '{run_id}'", page_token=token
            )
        except MlflowException as error:
            if error.error_code in _NO_LOGGED_MODELS:
                return []
            raise
        found += page
        token = page.token
        if not token:
            return sorted(found, key=lambda logged: int(logged.creation_timestamp), reverse=True)


def _local(location: str) -> Path | None:
    """The folder that `location` is on this machine, or None."""
    parts = urlsplit(location)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return Path(url2pathname(parts.path))
    return Path(location) if not parts.scheme else None
