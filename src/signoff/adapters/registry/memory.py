"""The registry's double: versions and runs in memory, their bytes in real folders.

For tests and benchmarks of everything above the registry; the contract suite holds it to what MLflow does. The public
methods beyond the ports set the scene.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from signoff.adapters.registry.copies import copy_model
from signoff.adapters.registry.reference import AliasedVersion, LoggedModel, NumberedVersion, RunArtifact, needed, parse
from signoff.domain.drift import Aliases
from signoff.domain.errors import (
    DigestMismatchError,
    MachineryError,
    ModelNotFoundError,
    UnavailableError,
    UnsafeModelError,
    WrongModelError,
)
from signoff.domain.trigger import Arrival
from signoff.domain.version import Lineage, Manifest, ModelVersion
from signoff.ports import TrainingRun
from signoff.proof.manifest import manifest_of

_ORIGIN, _COPY_OF = "signoff.origin", "signoff.copy_of"


@dataclass(slots=True)
class _Run:
    id: str
    key: str = ""
    experiment: str = ""
    status: str = "RUNNING"
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    user: str | None = None


@dataclass(slots=True)
class _Version:
    model: str
    number: str
    path: Path
    run_id: str | None
    is_ours: bool
    made_at: datetime
    tags: dict[str, str] = field(default_factory=dict)


class MemoryRegistry:
    """Both ports; `folder` keeps the bytes. With `is_down` set every call of a port fails as an outage would."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.is_down = False
        self._clock = clock
        self._folder = folder
        self._lock = RLock()
        self._runs: dict[str, _Run] = {}
        self._versions: dict[str, list[_Version]] = {}
        self._aliases: dict[tuple[str, str], str] = {}

    # Setting the scene

    def log(
        self, run_id: str, metrics: Mapping[str, float] | None = None, params: Mapping[str, str] | None = None
    ) -> None:
        """What a script would log to its run."""
        self._runs[run_id].metrics.update(metrics or {})
        self._runs[run_id].params.update(params or {})

    def log_files(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Write `files` (path in the run -> content) among the run's artifacts."""
        for path, content in files.items():
            where = self._folder / "runs" / run_id / path
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(content)

    def register(self, model: str, run_id: str, path: str) -> str:
        """Register what the run logged as `path`, as a script does; the new version's number."""
        return self._add(model, self._folder / "runs" / run_id / path, run_id).number

    def drop_alias(self, model: str, alias: str) -> None:
        """Take the alias away, as somebody may in the registry."""
        self._aliases.pop((model, alias), None)

    def arrive(self, model: str, files: Mapping[str, bytes], *, by: str | None = None, **metrics: float) -> int:
        """Register a version of `model` as a script does that knows nothing of signoff; its number."""
        run = _Run(uuid.uuid4().hex, metrics=dict(metrics), user=by)
        self._runs[run.id] = run
        self.log_files(run.id, {f"model/{name}": content for name, content in files.items()})
        return int(self.register(model, run.id, "model"))

    def where(self, model: str, version: str) -> Path:
        """Where the bytes are kept: a test may tamper with them."""
        return self._version(model, version).path

    # Registry

    def resolve(self, reference: str, model: str | None, /) -> ModelVersion:
        """The version that `reference` names now; what is no version yet becomes one of `model`."""
        self._ask()
        match parse(reference):
            case NumberedVersion(name, version):
                return self._described(self._version(name, version))
            case AliasedVersion(name, alias):
                self._known(name)
                if (name, alias) not in self._aliases:
                    others = ", ".join(sorted(a for m, a in self._aliases if m == name))
                    raise ModelNotFoundError(
                        f"{name} has no alias {alias!r}.",
                        f"Its aliases are: {others}." if others else "It has no alias at all.",
                    )
                return self._described(self._version(name, self._aliases[name, alias]))
            case RunArtifact(run_id, path):
                name = needed(model, reference)
                return self._described(self._placed(name, self._run(run_id).id, path))
            case LoggedModel(model_id):
                raise ModelNotFoundError(
                    f"The model registry in memory does not have it: {model_id}", "Check the name."
                )
            case path:
                return self._described(self._of_folder(needed(model, reference), path, None))

    def fetch(self, version: ModelVersion, target: Path, /) -> Manifest:
        """Copy the version's files into the empty folder `target`; the manifest of what was copied."""
        self._ask()
        found = self._version(version.model, version.version)
        try:
            return copy_model(found.path, target)
        except ModelNotFoundError as error:
            raise _gone(version.label) from error

    def start_training_run(self, key: str, experiment: str, /) -> TrainingRun:
        """The run of `key`, running again if it had ended."""
        self._ask()
        with self._lock:
            run = next((r for r in self._runs.values() if (r.key, r.experiment) == (key, experiment)), None)
            if run is None:
                run = _Run(uuid.uuid4().hex, key, experiment)
                self._runs[run.id] = run
            run.status = "RUNNING"
        return TrainingRun(run.id, {"MLFLOW_RUN_ID": run.id, "MLFLOW_EXPERIMENT_NAME": experiment})

    def collect(self, training_run_id: str, output: Path, model: str, /) -> ModelVersion:
        """What the training command delivered; ends its run."""
        self._ask()
        run = self._run(training_run_id)
        made = [v for versions in self._versions.values() for v in versions if v.run_id == run.id]
        mine = [v for v in made if v.model == model and not v.is_ours]
        folder = output / "model"
        if not mine and (folder.exists() or folder.is_symlink()):
            mine = [self._of_folder(model, folder, run.id)]
        mine = mine or [v for v in made if v.model == model]
        run.status = "FINISHED" if mine else "FAILED"
        if mine:
            return self._described(mine[-1])
        if made:
            names = ", ".join(f"{v.model} v{v.number}" for v in made)
            raise WrongModelError(
                f"The training command registered {names}, but this run is about {model}.",
                "Register it under that name.",
            )
        raise MachineryError(
            f"The training command delivered no model: the run {run.id} registered no version, and there is no folder "
            "'model' in its output.",
            "Leave it as $SIGNOFF_OUTPUT/model.",
            is_retryable=False,
        )

    # Arrivals

    def newest(self, model: str, /) -> int:
        """The number of the newest version; 0 when there is none."""
        self._ask()
        return max((int(v.number) for v in self._versions.get(model, ())), default=0)

    def newer_than(self, model: str, version: int, /) -> Sequence[Arrival]:
        """Every version of `model` with a higher number, lowest first."""
        self._ask()
        return [self._arrival(v) for v in self._versions.get(model, ()) if int(v.number) > version]

    def copy(self, version: ModelVersion, model: str, /) -> ModelVersion:
        """The copy of `version` in `model`."""
        self._ask()
        source = self._version(version.model, version.version)
        with self._lock:
            made = [v for v in self._versions.get(model, ()) if v.tags.get(_COPY_OF) == version.uri]
            copied = next((v for v in made if manifest_of(v.path).digest == version.digest), None)
            if copied is None:
                target = self._folder / "submitted" / uuid.uuid4().hex
                if copy_model(source.path, target).digest != version.digest:
                    raise DigestMismatchError(
                        f"The files of {version.label} changed while they were copied.", "Register it again."
                    )
                run = _Run(uuid.uuid4().hex, status="FINISHED", metrics=dict(version.metrics))
                self._runs[run.id] = run
                tags = {_ORIGIN: "copied", _COPY_OF: version.uri}
                copied = self._add(model, target, run.id, is_ours=True, tags=tags)
        return replace(self._described(copied), metrics=version.metrics, lineage=version.lineage, origin=version.uri)

    # Tracking

    def metrics(self, training_run_id: str, /) -> Mapping[str, float]:
        """The latest value of every metric of the run."""
        self._ask()
        return dict(self._run(training_run_id).metrics)

    def alias(self, model: str, alias: str, /) -> ModelVersion | None:
        """The version behind `alias` now, or None."""
        self._ask()
        number = self._aliases.get((model, alias))
        return None if number is None else self._described(self._version(model, number))

    def list_aliases(self) -> Aliases:
        """Every alias of every model."""
        self._ask()
        found: dict[str, dict[str, str]] = {model: {} for model in self._versions}
        for (model, alias), version in self._aliases.items():
            found[model][alias] = version
        return found

    def set_alias(self, model: str, alias: str, version: str, /) -> None:
        """Put `alias` on `version`."""
        self._ask()
        self._aliases[model, alias] = self._version(model, version).number

    def set_tags(self, model: str, version: str, tags: Mapping[str, str], /) -> None:
        """Write `tags` on the version."""
        self._ask()
        self._version(model, version).tags.update(tags)

    def status(self, training_run_id: str) -> str:
        """What the run's status is, in MLflow's words."""
        return self._run(training_run_id).status

    def _ask(self) -> None:
        if self.is_down:
            raise UnavailableError("The model registry in memory did not answer.", "It was told to be down.")

    def _add(
        self,
        model: str,
        path: Path,
        run_id: str | None,
        *,
        is_ours: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> _Version:
        with self._lock:
            versions = self._versions.setdefault(model, [])
            versions.append(
                _Version(model, str(len(versions) + 1), path, run_id, is_ours, self._clock(), dict(tags or {}))
            )
            return versions[-1]

    def _placed(self, model: str, run_id: str, path: str) -> _Version:
        where = self._folder / "runs" / run_id / path
        try:
            manifest_of(where)
        except ModelNotFoundError as error:
            root = where.parents[len(Path(path).parts) - 1]
            names = ", ".join(sorted(p.name for p in root.iterdir())) if root.exists() else ""
            raise ModelNotFoundError(
                f"The run {run_id} logged nothing as {path!r}.",
                f"It logged: {names}." if names else "It logged no files.",
            ) from error
        with self._lock:
            found = [v for v in self._versions.get(model, ()) if v.path == where]
            return found[-1] if found else self._add(model, where, run_id, tags={_ORIGIN: "submitted"})

    def _of_folder(self, model: str, source: Path, run_id: str | None) -> _Version:
        copy = self._folder / "submitted" / uuid.uuid4().hex
        manifest = copy_model(source, copy)
        with self._lock:
            newest = next(reversed(self._versions.get(model, [])), None)
            if newest and run_id in {None, newest.run_id} and _holds(newest.path, manifest):
                return newest
            if run_id is None:
                run_id = uuid.uuid4().hex
                self._runs[run_id] = _Run(run_id, experiment="signoff/submissions", status="FINISHED")
            return self._add(model, copy, run_id, is_ours=True, tags={_ORIGIN: "submitted"})

    def _arrival(self, found: _Version) -> Arrival:
        run = self._runs.get(found.run_id or "")
        return Arrival(
            model=found.model,
            version=int(found.number),
            made_at=found.made_at,
            is_ours=_ORIGIN in found.tags or bool(run and run.key),
            named=(run.user,) if run is not None and run.user else (),
        )

    def _run(self, run_id: str) -> _Run:
        if run_id not in self._runs:
            raise ModelNotFoundError(f"There is no run {run_id!r} in the tracking server in memory.")
        return self._runs[run_id]

    def _known(self, model: str) -> list[_Version]:
        if model not in self._versions:
            raise ModelNotFoundError(f"There is no model {model!r} in the registry in memory.")
        return self._versions[model]

    def _version(self, model: str, number: str) -> _Version:
        versions = self._known(model)
        for version in versions:
            if version.number == number:
                return version
        raise ModelNotFoundError(f"{model} has no version {number}.", f"Its newest version is {versions[-1].number}.")

    def _described(self, found: _Version) -> ModelVersion:
        try:
            manifest = manifest_of(found.path)
        except ModelNotFoundError as error:
            raise _gone(f"{found.model} v{found.number}") from error
        run = self._runs.get(found.run_id or "")
        return ModelVersion(
            model=found.model,
            version=found.number,
            digest=manifest.digest,
            uri=f"models:/{found.model}/{found.number}",
            tags=dict(found.tags),
            metrics=dict(run.metrics) if run else {},
            lineage=Lineage(training_run_id=found.run_id, params=dict(run.params) if run else {}),
            is_servable=any(name == "MLmodel" for name, _ in manifest.entries),
            files=manifest.recorded,
        )


def _gone(label: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"The files of {label} are not where the registry says.", "They were deleted or moved: register again."
    )


def _holds(path: Path, manifest: Manifest) -> bool:
    try:
        return manifest_of(path) == manifest
    except (ModelNotFoundError, UnsafeModelError):
        return False
