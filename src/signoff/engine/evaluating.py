"""What predictions say: read in the worker by `evaluation`, which is imported only where there are some to read."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from signoff.domain.errors import MachineryError, PredictionsError
from signoff.domain.evidence import (
    Champion,
    Comparison,
    FairnessGap,
    Interval,
    Metric,
    Picture,
    SliceResult,
    Task,
    TestSet,
)
from signoff.domain.expression import Expression, Origin, limits_of, parse
from signoff.domain.judging import levels_of
from signoff.domain.pipeline import ApprovalStep, TestStep
from signoff.domain.run import Run
from signoff.engine.machinery import Machinery
from signoff.engine.rematch import Rematch
from signoff.store import evidence, history

if TYPE_CHECKING:
    from signoff.evaluation.pictures.history import Measured
    from signoff.evaluation.predictions import Predictions

_VERSIONS = 50
_SUREST = 1 - 1e-12
_EXTRA = 'pip install "signoff[evaluate]"'


@dataclass(frozen=True, slots=True)
class Findings:
    """What predictions say, before any check is judged; empty where there are none."""

    metrics: tuple[Metric, ...] = ()
    champion_metrics: Mapping[str, Metric] = field(default_factory=dict)
    task: Task | None = None
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[SliceResult, ...] = ()
    fairness: tuple[FairnessGap, ...] = ()
    test_set: TestSet | None = None
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()


def needs_champion(path: Path) -> bool:
    """Whether the predictions in `path` do not hold the champion's already.

    Raises:
        MachineryError: this worker cannot read predictions, or the file is none.
    """
    try:
        from signoff.evaluation.joining import has_champion
    except ImportError as error:
        raise _not_installed(path.name, error) from error
    return not has_champion(path)


def evaluate_predictions(
    machinery: Machinery, run: Run, step: TestStep, path: Path, champion: Champion | None, rematch: Rematch
) -> Findings:
    """Everything that the predictions in `path` say; pictures are written to the folder ``plots`` beside it.

    Raises:
        PredictionsError: they cannot be read, or lack a column that the pipeline names.
        MachineryError: this worker cannot read predictions.
    """
    try:
        from signoff.evaluation.joining import join_champion
        from signoff.evaluation.pictures.look import Names
        from signoff.evaluation.predictions import read_predictions
        from signoff.evaluation.report import Wanted, evaluate
    except ImportError as error:
        raise _not_installed(path.name, error) from error
    notes: list[str] = []
    source = path
    if rematch.predictions is not None:
        joined = path.parent.parent / "joined"
        joined.mkdir(exist_ok=True)
        target = joined / "predictions.parquet"
        why = join_champion(path, rematch.predictions, target)
        if why is None:
            source = target
        else:
            notes.append(f"not compared with the champion row by row: {why}")
    predictions = read_predictions(source, task=step.task)
    _check_columns(predictions, step, path.name)
    with machinery.database.begin() as tx:
        looks = evidence.count_looks(tx, run.model, predictions.digest, run_id=run.id, attempt=run.attempt.number)
        past = history.list_measured(tx, run.model, _limits(run, step), limit=_VERSIONS)
    sizes = {column: len(slicing.values) + 1 for column, slicing in predictions.slices.items()}
    wanted = Wanted(
        levels=levels_of(step.checks, slices=sizes, correct=step.correct, looks=looks),
        correct=step.correct,
        slices=step.slices,
        slice_metrics=tuple(_sliced(step)),
        sensitive=step.sensitive,
        seed=int(predictions.digest.removeprefix("sha256:")[:8], 16),
        limits=_limits(run, step),
        history=_history(past, champion, run),
        names=Names(
            "this version" if run.attempt.version is None else f"v{run.attempt.version.version}",
            "the champion" if champion is None else f"v{champion.version}, the champion",
        ),
    )
    report = evaluate(predictions, wanted, path.parent / "plots")
    if step.correct:
        notes.append(_corrected(len(step.checks), looks))
    return Findings(
        metrics=tuple(_unsure(metric) for metric in report.metrics),
        champion_metrics={name: _unsure(metric) for name, metric in (report.champion_metrics or {}).items()},
        task=predictions.task,
        comparisons=report.comparisons,
        slices=report.slices,
        fairness=report.fairness,
        test_set=TestSet(predictions.digest, predictions.n, looks),
        pictures=report.pictures,
        notes=(*predictions.notes, *report.notes, *notes),
    )


def _history(
    past: Sequence[tuple[str, Sequence[Metric]]], champion: Champion | None, run: Run
) -> dict[str, list[Measured]]:
    """How the metrics that are held against a limit went from version to version, before this one."""
    from signoff.evaluation.pictures.history import Measured

    present = run.attempt.version.version if run.attempt.version is not None else None
    found: dict[str, list[Measured]] = {}
    for version, metrics in past:
        for metric in metrics if version != present else ():
            is_champion = champion is not None and champion.version == version
            measured = Measured(f"v{version}", metric.value, metric.interval, is_champion=is_champion)
            found.setdefault(metric.name, []).append(measured)
    return found


def _unsure(metric: Metric) -> Metric:
    """`metric`; one for which so few rows give no interval may be anything, and is not an exact number."""
    if metric.interval is not None or not metric.is_usable:
        return metric
    return replace(metric, interval=Interval(-math.inf, math.inf, _SUREST, "none"))


def _check_columns(predictions: Predictions, step: TestStep, name: str) -> None:
    """Refuse a pipeline that names a column which the predictions do not have."""
    named = [(column, "slices") for columns in step.slices for column in columns]
    named += [(column, "sensitive") for column in step.sensitive]
    for column, key in named:
        if column in predictions.slices:
            continue
        near = difflib.get_close_matches(column, list(predictions.slices), n=1, cutoff=0.6)
        known = ", ".join(predictions.slices) or "none"
        hint = f"Did you mean {near[0]!r}?" if near else f"Its slice columns are: {known}."
        raise PredictionsError(f"{key} names the column {column!r}, and {name} has no slice column of that name.", hint)


def _expressions(run: Run, step: TestStep) -> Iterable[Expression]:
    """What will be asked of the metrics: the step's checks, and when the gates after it approve by themselves."""
    yield from (parse(check.that) for check in step.checks)
    for later in run.pipeline.steps[run.pipeline.position(step.name) + 1 :]:
        if isinstance(later, ApprovalStep) and later.auto_approve_if is not None:
            yield parse(later.auto_approve_if)


def _limits(run: Run, step: TestStep) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for expression in _expressions(run, step):
        for name, limits in limits_of(expression).items():
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *limits)))
    return found


def _sliced(step: TestStep) -> list[str]:
    """The metrics that some check reads for each slice."""
    read = {Origin.METRIC, Origin.STEP, Origin.CHAMPION, Origin.DELTA}
    names = [
        reference.name
        for check in step.checks
        if check.for_each is not None
        for reference in parse(check.that).references
        if reference.origin in read
    ]
    return list(dict.fromkeys(names))


def _corrected(checks: int, looks: int) -> str:
    many = "1 check" if checks == 1 else f"{checks} checks"
    often = "the first look" if looks == 1 else f"look number {looks}"
    return f"answers are corrected for {many} (Holm) and for {often} of this model at these rows"


def _not_installed(name: str, error: ImportError) -> MachineryError:
    return MachineryError(
        f"This worker cannot read {name}: {error.name or error} is not installed.",
        f"On the worker's machine: {_EXTRA}. Then `signoff retry`.",
    )
