"""What was registered in MLflow lately, and taking it in: the port `Arrivals`.

Only `mlflow` of this package imports it. Who registered a version MLflow does not know: what it names is what the
client's own machine said.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from signoff.adapters.registry.mlflow_files import Files
from signoff.adapters.registry.mlflow_lookup import Lookup
from signoff.adapters.registry.mlflow_register import ORIGIN, Registration
from signoff.domain.errors import DigestMismatchError, ModelNotFoundError
from signoff.domain.trigger import Arrival
from signoff.domain.version import ModelVersion

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

KEY_TAG = "signoff.key"
"""The tag that finds a training run again by its idempotency key."""
_USER = "mlflow.user"
_NOBODY = "unknown"
"""Whom a run belongs to whose client did not say."""


class MlflowArrivals:
    """New versions of models, told and copied."""

    def __init__(self, files: Files, lookup: Lookup, registration: Registration) -> None:
        self._files = files
        self._lookup = lookup
        self._registration = registration

    def newest(self, model: str, /) -> int:
        """The number of the newest version of `model`; 0 when it has none."""
        found = self._lookup.newest(model)
        if found is None:
            # A search leaves out what its asker may not read; only this is refused then.
            with suppress(ModelNotFoundError):
                self._lookup.aliases(model)
        return int(found.version) if found is not None else 0

    def newer_than(self, model: str, version: int, /) -> Sequence[Arrival]:
        """Every version of `model` with a higher number, lowest first."""
        return [self._arrival(found) for found in reversed(self._lookup.newer_than(model, version))]

    def copy(self, version: ModelVersion, model: str, /) -> ModelVersion:
        """The copy of `version` in `model`."""
        found = self._lookup.version(version.model, version.version)
        with self._files.scratch() as folder:
            location = self._files.of_version(found.name, str(found.version))
            manifest = self._files.copy(location, folder, version.label)
            if manifest.digest != version.digest:
                raise DigestMismatchError(
                    f"The files of {version.label} changed while they were copied.", "Register it again."
                )
            number = self._registration.copy(model, version, folder, manifest)
        made = self._lookup.described(self._lookup.version(model, number), manifest)
        return replace(made, metrics=version.metrics, lineage=version.lineage, origin=version.uri)

    def _arrival(self, found: MlflowVersion) -> Arrival:
        run = self._run(found)
        tags = dict(run.data.tags) if run is not None else {}
        words = (found.user_id, found.tags.get(_USER), tags.get(_USER), run.info.user_id if run is not None else None)
        return Arrival(
            model=str(found.name),
            version=int(found.version),
            made_at=datetime.fromtimestamp(int(found.creation_timestamp) / 1000, UTC),
            is_ready=found.status == "READY",
            is_ours=ORIGIN in found.tags or KEY_TAG in tags,
            named=tuple(sorted({str(word) for word in words if word and word != _NOBODY})),
        )

    def _run(self, found: MlflowVersion) -> Run | None:
        try:
            return self._lookup.run(found.run_id) if found.run_id else None
        except ModelNotFoundError:
            return None
