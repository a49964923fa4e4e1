"""The registry and tracking server of MLflow, through its slim client: the ports `Registry` and `Tracking`.

Only `bootstrap` imports it. MLflow has no digest of a version and would serve a changed file without complaint: every
digest here is computed from bytes copied out at that moment. Tags are written for people's eyes and never believed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from signoff.adapters.registry.mlflow_arrivals import KEY_TAG, MlflowArrivals
from signoff.adapters.registry.mlflow_connection import Connection, without_credentials
from signoff.adapters.registry.mlflow_files import Files
from signoff.adapters.registry.mlflow_lookup import Lookup, metrics_of, quoted
from signoff.adapters.registry.mlflow_register import OURS, Registration
from signoff.adapters.registry.reference import AliasedVersion, LoggedModel, NumberedVersion, RunArtifact, needed, parse
from signoff.domain.drift import Aliases
from signoff.domain.errors import MachineryError, ModelNotFoundError, WrongModelError
from signoff.domain.secret import Secret
from signoff.domain.version import Manifest, ModelVersion
from signoff.ports import TrainingRun

log = structlog.get_logger(__name__)

CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
PASSED_ON = (*CREDENTIALS, "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH")
"""What a training script needs of the worker's own environment to log. It thereby gets the worker's access to MLflow,
never to signoff: give the worker an MLflow account that may do no more than a training script should, or the steps one
of their own (`StepAccount`)."""


@dataclass(frozen=True, slots=True)
class StepAccount:
    """The account of MLflow that training scripts log with, where it is not to be signoff's own."""

    name: str
    password: Secret


class MlflowRegistry:
    """Model versions in an MLflow registry; `work` is a folder for copies that live as long as one call.

    The default store is ``sqlite:///HOME/mlflow.db``; it is made when it is not there.
    """

    def __init__(
        self, tracking_uri: str, registry_uri: str | None, work: Path, *, steps: StepAccount | None = None
    ) -> None:
        self._steps = steps
        self._connection = Connection(tracking_uri, registry_uri)
        self._files = Files(self._connection, work)
        self._lookup = Lookup(self._connection, self._files)
        self._registration = Registration(self._connection, self._files, self._lookup, work)
        self.arrivals = MlflowArrivals(self._files, self._lookup, self._registration)

    # Registry

    def resolve(self, reference: str, model: str | None, /) -> ModelVersion:
        """The version that `reference` names now; what is no version yet becomes one of `model`."""
        match parse(reference):
            case NumberedVersion(name, version):
                return self._lookup.described(self._lookup.version(name, version))
            case AliasedVersion(name, alias):
                return self._lookup.described(self._lookup.aliased(name, alias))
            case RunArtifact(run_id, path):
                return self._of_run(needed(model, reference), run_id, path)
            case LoggedModel(model_id):
                location, source_run_id = self._files.of_logged_model(model_id)
                return self._placed(needed(model, reference), location, source_run_id, model_id)
            case path:
                name = needed(model, reference)
                version, manifest = self._registration.folder(name, path)
                return self._lookup.described(self._lookup.version(name, version), manifest)

    def fetch(self, version: ModelVersion, target: Path, /) -> Manifest:
        """Copy the version's files into the empty folder `target`; the manifest of what was copied."""
        found = self._lookup.version(version.model, version.version)
        location = self._files.of_version(found.name, str(found.version))
        return self._files.copy(location, target, version.label)

    def start_training_run(self, key: str, experiment: str, /) -> TrainingRun:
        """The tracking run of `key`, running again if it had ended, and the variables that let a script continue it.

        A script that calls ``mlflow.set_experiment`` with another name is refused by MLflow itself.
        """
        experiment_id = self._registration.experiment(experiment)
        with self._connection.asking() as client:
            found = client.search_runs(
                [experiment_id],
                f"tags.`{KEY_TAG}` = {quoted(key)}",
                max_results=1,
                order_by=["attributes.start_time ASC"],
            )
            if not found:
                run = client.create_run(experiment_id, tags={KEY_TAG: key}, run_name=key.replace("/", "-"))
            else:
                run = found[0]
                if run.info.status != "RUNNING":
                    client.update_run(run.info.run_id, status="RUNNING")
        environment = {
            **self._access(),
            "MLFLOW_RUN_ID": str(run.info.run_id),
            "MLFLOW_EXPERIMENT_NAME": experiment,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        return TrainingRun(str(run.info.run_id), environment)

    def _access(self) -> dict[str, str]:
        """By which a script reaches MLflow: the worker's own way, or that of the steps' account and nothing else."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        uris = {
            "MLFLOW_TRACKING_URI": self._connection.tracking_uri,
            "MLFLOW_REGISTRY_URI": self._connection.registry_uri,
        }
        if self._steps is None:
            return passed | uris
        kept = {name: value for name, value in passed.items() if name not in CREDENTIALS}
        own = {CREDENTIALS[0]: self._steps.name, CREDENTIALS[1]: self._steps.password.reveal()}
        return {**kept, **own, **{name: without_credentials(uri) for name, uri in uris.items()}}

    def collect(self, training_run_id: str, output: Path, model: str, /) -> ModelVersion:
        """What the training command delivered; ends its tracking run."""
        run = self._lookup.run(training_run_id)
        ours = f"{run.info.artifact_uri.rstrip('/')}/{OURS}/"
        versions = self._lookup.versions_of_run(training_run_id)
        # What an earlier try of this call made of a folder is no proof that the script registered anything.
        made_here = [v for v in versions if self._files.of_version(v.name, str(v.version)).startswith(ours)]
        registered = [v for v in versions if v not in made_here]
        folder = output / "model"
        if mine := [v for v in registered if v.name == model]:
            if len(mine) > 1:
                numbers = [str(v.version) for v in mine]
                log.info("registry.newest_counts", model=model, counts=numbers[0], ignored=numbers[1:])
            delivered = self._lookup.described(mine[0])
        elif folder.exists() or folder.is_symlink():
            version, manifest = self._registration.folder(model, folder, training_run_id)
            delivered = self._lookup.described(self._lookup.version(model, version), manifest)
        elif mine := [v for v in made_here if v.name == model]:
            delivered = self._lookup.described(mine[0])
        else:
            self._end(training_run_id, "FAILED")
            raise _nothing_delivered(training_run_id, model, [f"{v.name} v{v.version}" for v in registered])
        self._end(training_run_id, "FINISHED")
        return delivered

    # Tracking

    def metrics(self, training_run_id: str, /) -> Mapping[str, float]:
        """The latest value of every metric of the run."""
        return metrics_of(self._lookup.run(training_run_id))

    def alias(self, model: str, alias: str, /) -> ModelVersion | None:
        """The version behind `alias` now, or None."""
        try:
            version = self._lookup.aliases(model).get(alias)
        except ModelNotFoundError:
            return None
        return None if version is None else self._lookup.described(self._lookup.version(model, version))

    def list_aliases(self) -> Aliases:
        """Every alias of every model."""
        return self._lookup.all_aliases()

    def set_alias(self, model: str, alias: str, version: str, /) -> None:
        """Put `alias` on `version`, unless it is there."""
        if self._lookup.aliases(model).get(alias) == version:
            return
        self._lookup.version(model, version)
        with self._connection.asking() as client:
            client.set_registered_model_alias(model, alias, version)

    def set_tags(self, model: str, version: str, tags: Mapping[str, str], /) -> None:
        """Write `tags` on the version, those that differ."""
        present = self._lookup.version(model, version).tags
        with self._connection.asking() as client:
            for name, value in tags.items():
                if present.get(name) != value:
                    client.set_model_version_tag(model, version, name, value)

    def _of_run(self, model: str, run_id: str, path: str) -> ModelVersion:
        self._lookup.run(run_id)
        location, logged_model_id = self._files.of_run(run_id, path)
        try:
            return self._placed(model, location, run_id, logged_model_id)
        except ModelNotFoundError as error:
            names = ", ".join(self._files.logged_by(run_id))
            raise ModelNotFoundError(
                f"The run {run_id} logged nothing as {path!r}.",
                f"It logged: {names}." if names else "It logged no files.",
            ) from error

    def _placed(self, model: str, location: str, run_id: str | None, logged_model_id: str | None) -> ModelVersion:
        """The version of `model` at `location`, registered only after its files were found fit for a manifest."""
        manifest = self._files.manifest(location, location)
        version = self._registration.place(model, location, run_id, logged_model_id)
        return self._lookup.described(self._lookup.version(model, version), manifest)

    def _end(self, run_id: str, status: str) -> None:
        with self._connection.asking() as client:
            client.set_terminated(run_id, status)


def _nothing_delivered(run_id: str, model: str, others: list[str]) -> WrongModelError | MachineryError:
    """What to raise when a training command left no version of `model`, but perhaps versions of `others`."""
    if others:
        return WrongModelError(
            f"The training command registered {', '.join(others)}, but this run is about {model}.",
            f"Write registered_model_name=\"{model}\" in the script, or change 'model:' in the pipeline file.",
        )
    return MachineryError(
        f"The training command delivered no model: the MLflow run {run_id} registered no version, and there is no "
        f"folder 'model' in its output.",
        f'Register the model in the script (registered_model_name="{model}"), or leave it as $SIGNOFF_OUTPUT/model.',
        is_retryable=False,
    )
