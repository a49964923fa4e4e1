"""`signoff.yaml` -> `domain.Pipeline`, or everything that is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256

from signoff.domain.errors import PipelineError
from signoff.domain.pipeline import Concurrency, NoBetter, Pipeline, TrainingStep
from signoff.spec.fields import Fields, kind_of, nearest
from signoff.spec.known import Known
from signoff.spec.lint import lint
from signoff.spec.problem import TOP, Problem, Problems
from signoff.spec.steps import ReadStep, read_step
from signoff.spec.tree import Node, Table, decode, find, grow
from signoff.spec.trigger import MODEL_NAME, read_trigger

PIPELINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}")
METRIC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
MOST_ATTEMPTS = 100
MOST_STEPS = 2000
MOST_TARGETS = 20
SMALLEST = "a pipeline starts with steps:"

_MISTAKES = {
    **dict.fromkeys(("step", "stages", "jobs", "tasks", "pipeline"), "steps"),
    **dict.fromkeys(("attempts", "retries", "max_retries", "max_tries", "max_iterations"), "max_attempts"),
    **dict.fromkeys(("notifications", "notifiers"), "notify"),
    **dict.fromkeys(("title", "id"), "name"),
    **dict.fromkeys(("model_name", "registered_model"), "model"),
    **dict.fromkeys(("trigger", "triggers"), "on"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a pipeline file gave: the pipeline, unless one of the problems is an error."""

    pipeline: Pipeline | None
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse the file."""
        return tuple(problem for problem in self.problems if problem.is_error)


def read_pipeline(
    text: str | bytes,
    *,
    filename: str = "signoff.yaml",
    folder_name: str | None = None,
    context: Known | None = None,
) -> Reading:
    """The pipeline of a file, or every problem in it. Never raises because of what the file holds.

    `folder_name` names a pipeline that has no name of its own; `context` is what the server knows.
    """
    content, problems = decode(text, filename)
    if content is None:
        return Reading(None, problems.sorted())
    root = grow(content, problems)
    pipeline = None if root is None else _read(root, problems, folder_name, context)
    if root is None and not problems.has_errors:
        problems.error(TOP, "the file is empty", SMALLEST, code="missing")
    if pipeline is None or problems.has_errors:
        return Reading(None, problems.sorted())
    digest = sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()
    return Reading(replace(pipeline, digest=f"sha256:{digest}"), problems.sorted())


def load_pipeline(
    text: str | bytes,
    *,
    filename: str = "signoff.yaml",
    folder_name: str | None = None,
    context: Known | None = None,
) -> Pipeline:
    """The pipeline of a file, for callers that want one or nothing.

    Raises:
        PipelineError: the file is wrong; `problems` holds each `Problem`.
    """
    reading = read_pipeline(text, filename=filename, folder_name=folder_name, context=context)
    if reading.pipeline is None:
        errors = reading.errors
        count = "one error" if len(errors) == 1 else f"{len(errors)} errors"
        what = f"{filename} has {count}; the first: {errors[0].message} (line {errors[0].line})."
        raise PipelineError(what, errors[0].hint, reading.problems)
    return reading.pipeline


def _read(root: Node, problems: Problems, folder_name: str | None, context: Known | None) -> Pipeline | None:
    if not isinstance(root, Table):
        problems.error(root.place, f"the file must be a mapping with steps, not {kind_of(root)}", SMALLEST, code="type")
        return None
    fields = Fields(root, "the pipeline", problems)
    name = fields.named("name", PIPELINE_NAME, "use letters, digits, spaces and . _ -")
    model = fields.named("model", MODEL_NAME, "a registered model's name has no / and no :")
    max_attempts = fields.whole("max_attempts", default=3, least=1, most=MOST_ATTEMPTS)
    concurrency = fields.choice("concurrency", Concurrency, default=Concurrency.QUEUE)
    stop = _read_no_better(fields)
    notify = _read_notify(fields, root, context)
    on = read_trigger(fields, root, context)
    steps = _read_steps(fields)
    fields.close(_MISTAKES, _step_at_top)
    fields.require("steps", SMALLEST)
    read_steps = [read for read in steps if read is not None]
    values = tuple(read.step for read in read_steps)
    name = name or _name_from(folder_name)
    pipeline = Pipeline(name, "", values, model, max_attempts, concurrency, stop, notify, on)
    if len(read_steps) == len(steps):
        lint(pipeline, read_steps, problems, context)
    return pipeline


def _read_steps(fields: Fields) -> list[ReadStep | None]:
    names: dict[str, int] = {}
    steps: list[ReadStep | None] = []
    has_training = False
    nodes = fields.items("steps", "a list of steps", "write - name: approve_model", most=MOST_STEPS)
    for number, node in enumerate(nodes or (), start=1):
        read = read_step(node, number, fields.problems, names, has_training=has_training)
        has_training = has_training or (read is not None and isinstance(read.step, TrainingStep))
        steps.append(read)
    return steps


def _step_at_top(key: str) -> str | None:
    return f"{key} belongs to a step, under steps:" if key in {"type", "inputs", "on_reject", "on_fail"} else None


def _name_from(folder_name: str | None) -> str:
    """A pipeline's name from its folder's, which may hold anything."""
    cleaned = re.sub(r"[^A-Za-z0-9 ._-]+", "-", folder_name or "").strip(" ._-")[:128]
    return cleaned or "pipeline"


def _read_notify(fields: Fields, root: Table, context: Known | None) -> tuple[str, ...]:
    """The targets that hear of the runs; one that the server does not have is refused, not forgotten."""
    names = fields.texts("notify", "a list of targets", most=MOST_TARGETS)
    known = context.targets if context is not None else None
    for number, name in enumerate(names if known is not None else ()):
        if name in (known or ()):
            continue
        guess = nearest(name, known or ())
        listed = ", ".join(sorted(known or ()))
        hint = (
            f"the targets are {listed}" if listed else "there are none; an administrator adds them: signoff target add"
        )
        place = find(root, "notify", number)
        hint = f"did you mean '{guess}'?" if guess else hint
        fields.problems.error(place, f"there is no target {name} on this server", hint, code="unknown_target")
    return names


def _read_no_better(fields: Fields) -> NoBetter | None:
    """``{metric: auc, rounds: 2}``: when training again is no longer worth it."""
    table = fields.table_of("stop_when_no_better")
    if table is None:
        return None
    inner = Fields(table, "stop_when_no_better", fields.problems)
    metric = inner.named("metric", METRIC_NAME, "use letters, digits and _, as in auc")
    rounds = inner.whole("rounds", default=2, least=1, most=MOST_ATTEMPTS)
    inner.close({"round": "rounds", "attempts": "rounds", "name": "metric"})
    inner.require("metric", "add metric: auc")
    return None if metric is None else NoBetter(metric, rounds)
