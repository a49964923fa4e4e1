"""The champion on the candidate's rows: the same command, run for the champion's verified copy, once per content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from signoff.domain.errors import MachineryError, PredictionsError
from signoff.domain.evidence import Champion, EvidenceFile
from signoff.domain.pipeline import TestStep
from signoff.domain.run import Run
from signoff.domain.version import ModelVersion, digest_json
from signoff.engine.commands import champion_context, key_of, patiently, run_command
from signoff.engine.machinery import Machinery, scratch_of
from signoff.store import evidence

KINDS = (".csv", ".parquet")
_ASIDE = "champion"


@dataclass(frozen=True, slots=True)
class Rematch:
    """The champion's predictions, where there are some; what is kept of how they came about, and what to say of it."""

    predictions: Path | None
    files: tuple[EvidenceFile, ...] = ()
    notes: tuple[str, ...] = ()


def find_predictions(output: Path) -> Path | None:
    """The predictions in an output folder, if a command left some.

    Raises:
        PredictionsError: it left two files of them.
    """
    found = [path for kind in KINDS if (path := output / f"predictions{kind}").is_file() and not path.is_symlink()]
    if len(found) > 1:
        raise PredictionsError(
            "There are predictions.csv and predictions.parquet, and only one of them can be meant.", "Leave one."
        )
    return found[0] if found else None


def key_of_predictions(digest: str, run: Run, step: TestStep) -> str:
    """What predictions follow from: the bytes of a model, the pipeline's folder, and the command with its params."""
    command = step.command
    if command is None:
        raise ValueError(f"{step.name} has no command")
    made_by = {
        "model": digest,
        "folder": run.snapshot_digest,
        "argv": list(command.argv),
        "python": command.python,
        "params": dict(command.params),
    }
    return digest_json(made_by)


def keep_predictions(machinery: Machinery, run: Run, step: TestStep, digest: str, path: Path) -> str:
    """Keep the predictions of the model with `digest`, so that nobody has to make them again; returns their blob."""
    blob = patiently(machinery, lambda: machinery.blobs.add(path))
    with machinery.database.begin() as tx:
        key = key_of_predictions(digest, run, step)
        evidence.add_predictions(tx, key, path.name, blob, at=machinery.clock())
    return blob


def play_again(machinery: Machinery, run: Run, step: TestStep, champion: tuple[Champion, ModelVersion]) -> Rematch:
    """The champion's predictions by the command of `step`: those that are kept, or made now.

    A champion that cannot be run is no fault of the candidate: then there is nothing to compare, and a note says why.

    Raises:
        CancelledError, HandedBackError: the command had to end.
    """
    known, version = champion
    with machinery.database.begin() as tx:
        kept = evidence.find_predictions(tx, key_of_predictions(version.digest, run, step))
    folder = machinery.folder_of(scratch_of(run), f"{step.name}-{run.attempt.number}-{_ASIDE}")
    if kept is not None:
        name, digest = kept
        path = patiently(machinery, lambda: machinery.checkout(digest, folder / name))
        note = f"the champion's predictions (v{known.version}) were there already: the same bytes by the same command"
        return Rematch(path, (_file(name, digest, path),), (note,))
    try:
        return _run(machinery, run, step, known, version, folder)
    except MachineryError as error:
        return Rematch(None, (), (f"the champion (v{known.version}) could not be run on these rows: {error.what}",))


def _run(
    machinery: Machinery, run: Run, step: TestStep, champion: Champion, version: ModelVersion, folder: Path
) -> Rematch:
    if step.command is None:
        raise ValueError(f"{step.name} has no command")
    copy = folder / "model"
    copy.mkdir()
    manifest = patiently(machinery, lambda: machinery.registry.fetch(version, copy))
    if manifest.digest != version.digest:
        raise MachineryError(f"the bytes of {version.label} changed while they were fetched", "Try again.")
    tracking = patiently(
        machinery,
        lambda: machinery.registry.start_training_run(f"{key_of(run, step.name)}/{_ASIDE}", run.pipeline.name),
    )
    environment: Mapping[str, str] = {
        **tracking.environment,
        "SIGNOFF_MODEL_URI": f"models:/{version.model}/{version.version}",
        "SIGNOFF_MODEL_PATH": str(copy),
    }
    command = replace(step.command, retries=0)
    extra = champion_context(None)
    ended = run_command(machinery, run, step.name, command, environment=environment, extra=extra, aside=_ASIDE)
    log = folder / "log.txt"
    files = (_file("log.txt", patiently(machinery, lambda: machinery.blobs.add(log)), log),)
    path = find_predictions(ended.output)
    if ended.exit_status != 0 or path is None:
        why = f"ended with exit status {ended.exit_status}" if ended.exit_status != 0 else "left no predictions"
        words = f"the command {why} when it was run for the champion (v{champion.version}); see {_ASIDE}/log.txt"
        return Rematch(None, files, (words,))
    digest = keep_predictions(machinery, run, step, version.digest, path)
    return Rematch(path, (_file(path.name, digest, path), *files))


def _file(name: str, digest: str, path: Path) -> EvidenceFile:
    return EvidenceFile(f"{_ASIDE}/{name}", digest, path.stat().st_size)
