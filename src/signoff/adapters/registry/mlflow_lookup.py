"""Finding versions, aliases and runs in MLflow, with refusals that say what there is instead; and telling of them.

Only the other `mlflow*` files of this package import it.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from signoff.adapters.registry.mlflow_connection import Connection
from signoff.adapters.registry.mlflow_files import Files
from signoff.domain.errors import ModelNotFoundError
from signoff.domain.version import Lineage, Manifest, ModelVersion

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

_SUGGESTED_FROM = 1000
_A_PAGE = 100
_MODEL_FILE = "MLmodel"


class Lookup:
    """What there is; asked anew at every call."""

    def __init__(self, connection: Connection, files: Files) -> None:
        self._connection = connection
        self._files = files

    def version(self, model: str, version: str) -> MlflowVersion:
        """The version that has this number.

        Raises:
            ModelNotFoundError: no such model or version; says which versions or models there are.
        """
        try:
            with self._connection.asking() as client:
                return client.get_model_version(model, version)
        except ModelNotFoundError as error:
            self.aliases(model)  # when there is no such model either, that is what must be said
            newest = self.newest(model)
            hint = f"Its newest version is {newest.version}." if newest else "It has no version yet."
            raise ModelNotFoundError(f"{model} has no version {version}.", hint) from error

    def aliased(self, model: str, alias: str) -> MlflowVersion:
        """The version behind the alias.

        Raises:
            ModelNotFoundError: no such model or alias; says which there are.
        """
        aliases = self.aliases(model)
        if alias not in aliases:
            others = ", ".join(sorted(aliases))
            raise ModelNotFoundError(
                f"{model} has no alias {alias!r}.",
                f"Its aliases are: {others}." if others else "It has no alias at all.",
            )
        return self.version(model, aliases[alias])

    def aliases(self, model: str) -> dict[str, str]:
        """Every alias of `model` and the version that it is on.

        Raises:
            ModelNotFoundError: no such model; names the ones that are spelt alike.
        """
        try:
            with self._connection.asking() as client:
                return {name: str(version) for name, version in client.get_registered_model(model).aliases.items()}
        except ModelNotFoundError as error:
            with self._connection.asking() as client:
                known = [found.name for found in client.search_registered_models(max_results=_SUGGESTED_FROM)]
            alike = difflib.get_close_matches(model, known)
            hint = f"Did you mean {' or '.join(alike)}?" if alike else f"It has {len(known)} other models."
            raise ModelNotFoundError(
                f"There is no model {model!r} in the registry at {self._connection.shown}.", hint
            ) from error

    def all_aliases(self) -> dict[str, dict[str, str]]:
        """Every model -> its aliases -> the version that each is on; a page of models is one call."""
        found: dict[str, dict[str, str]] = {}
        token: str | None = None
        with self._connection.asking() as client:
            while True:
                page = client.search_registered_models(max_results=_SUGGESTED_FROM, page_token=token)
                for model in page:
                    found[str(model.name)] = {name: str(version) for name, version in model.aliases.items()}
                token = page.token
                if not token:
                    return found

    def newest(self, model: str) -> MlflowVersion | None:
        """The newest version of `model`; None when it has none or does not exist."""
        wanted = f"name = {quoted(model)}"
        with self._connection.asking() as client:
            found = client.search_model_versions(wanted, max_results=1, order_by=["version_number DESC"])
        return found[0] if found else None

    def newer_than(self, model: str, version: int) -> list[MlflowVersion]:
        """Every version of `model` with a higher number, newest first: no more pages are read than hold them."""
        found: list[MlflowVersion] = []
        for version_found in self._versions(f"name = {quoted(model)}"):
            if int(version_found.version) <= version:
                break
            found.append(version_found)
        return found

    def tagged(self, model: str, tag: str, value: str) -> list[MlflowVersion]:
        """The versions of `model` with this tag, newest first."""
        return list(self._versions(f"name = {quoted(model)} AND tags.`{tag}` = {quoted(value)}"))

    def _versions(self, wanted: str) -> Iterator[MlflowVersion]:
        token: str | None = None
        while True:
            with self._connection.asking() as client:
                page = client.search_model_versions(
                    wanted, max_results=_A_PAGE, order_by=["version_number DESC"], page_token=token
                )
            yield from page
            token = page.token
            if not token:
                return

    def versions_of_run(self, run_id: str) -> list[MlflowVersion]:
        """Every version whose source is the run, of whatever model, newest first."""
        found: list[MlflowVersion] = []
        token: str | None = None
        with self._connection.asking() as client:
            while True:
                page = client.search_model_versions(f"run_id = '{run_id}'", page_token=token)
                found += page
                token = page.token
                if not token:
                    return sorted(found, key=lambda v: (int(v.creation_timestamp), int(v.version)), reverse=True)

    def run(self, run_id: str) -> Run:
        """The tracking run.

        Raises:
            ModelNotFoundError: no such run.
        """
        try:
            with self._connection.asking() as client:
                return client.get_run(run_id)
        except ModelNotFoundError as error:
            shown = self._connection.shown
            raise ModelNotFoundError(f"There is no run {run_id!r} in the tracking server at {shown}.") from error

    def described(self, found: MlflowVersion, manifest: Manifest | None = None) -> ModelVersion:
        """`found` in our words, with the digest of `manifest` or else of its files as they are now."""
        model, version = str(found.name), str(found.version)
        if manifest is None:
            manifest = self._files.manifest(self._files.of_version(model, version), f"{model} v{version}")
        try:
            run = self.run(found.run_id) if found.run_id else None
        except ModelNotFoundError:
            run = None  # runs are cleaned up sooner than versions; the version itself is still good
        return ModelVersion(
            model=model,
            version=version,
            digest=manifest.digest,
            uri=f"models:/{model}/{version}",
            tags=dict(found.tags),
            metrics=metrics_of(run) if run else {},
            lineage=_lineage(run) if run else Lineage(training_run_id=found.run_id or None),
            is_servable=any(name == _MODEL_FILE for name, _ in manifest.entries),
            files=manifest.recorded,
        )


def metrics_of(run: Run) -> Mapping[str, float]:
    """The latest value of every metric, with the infinities that MLflow stores as the largest number put back."""
    return {
        name: math.copysign(math.inf, value) if abs(value) == sys.float_info.max else float(value)
        for name, value in run.data.metrics.items()
    }


def quoted(value: str) -> str:
    """`value` for MLflow's filter language, which knows two kinds of quotes and no escapes."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def _lineage(run: Run) -> Lineage:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return Lineage(
        training_run_id=str(run.info.run_id),
        params=dict(run.data.params),
        data=tuple(f"{used.dataset.name}@{used.dataset.digest}" for used in inputs),
        code=run.data.tags.get("mlflow.source.git.commit"),
    )
