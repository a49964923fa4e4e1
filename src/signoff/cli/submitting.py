"""`signoff run`, `submit` and `resubmit`: starting and continuing runs, and waiting for their end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.files import DEFAULT_FILE, read_file
from signoff.cli.options import NOTHING, Common, MessageOption, RunArgument, connect
from signoff.cli.screen import Screen, clean, safe
from signoff.domain.errors import InvalidError, PipelineError

if TYPE_CHECKING:
    from signoff.domain.pipeline import Pipeline
    from signoff.sdk.client import Client
    from signoff.wire.runs import RunBody, SubmitRequest

FileOption = Annotated[Path, Parameter(name=("-f", "--file"), help="The pipeline file. Default: ./signoff.yaml.")]
NoteOption = Annotated[MessageOption, Parameter(help="A note for the approvers.")]
MetricsOption = Annotated[
    Path | None, Parameter(metavar="FILE", help='JSON: {"accuracy": 0.93}. Recorded as claimed by you.')
]
ModelArgument = Annotated[
    str, Parameter(help="models:/NAME/VERSION, models:/NAME@ALIAS, runs:/ID/PATH, or a local folder or file.")
]
WaitOption = Annotated[bool, Parameter(help="Wait until the run has ended; the exit status says how.")]
TimeoutOption = Annotated[str | None, Parameter(metavar="TIME", help="With --wait: give up after so long (2h, 30m).")]


def run(
    file: Annotated[Path, Parameter(help="The pipeline file. Default: ./signoff.yaml.")] = Path(DEFAULT_FILE),
    /,
    *,
    message: NoteOption = "",
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    common: Common = NOTHING,
) -> int:
    """Start a run with its training step. The file's folder is sent along, as it is now."""
    return _start(file, None, message, None, wait=wait, timeout=timeout, common=common)


def submit(
    model: ModelArgument,
    /,
    *,
    file: FileOption = Path(DEFAULT_FILE),
    message: NoteOption = "",
    metrics: MetricsOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    common: Common = NOTHING,
) -> int:
    """Start a run for a version that is trained already. An alias is resolved once, now; local files are uploaded."""
    return _start(file, model, message, metrics, wait=wait, timeout=timeout, common=common)


def resubmit(
    run: RunArgument,
    model: Annotated[str | None, Parameter(help="As for submit. Without it only the answers are given.")] = None,
    /,
    *,
    answer: Annotated[
        list[str] | None,
        Parameter(negative=(), help="N=TEXT: what was done about reason N of the reviewers. Once for each."),
    ] = None,
    message: NoteOption = "",
    metrics: MetricsOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    common: Common = NOTHING,
) -> int:
    """Give a run that waits for its next version that version, with an answer to each reason of the reviewers."""
    from signoff.sdk.offer import choose_model
    from signoff.wire.runs import ResubmitRequest

    seconds = seconds_of(timeout)
    claimed = read_metrics(metrics)
    said = dict(_read_answer(text) for text in answer or ())
    with connect(common) as client:
        chosen = {} if model is None else choose_model(client, model)
        request = ResubmitRequest(note=message, metrics=claimed, answers=said or None, **chosen)
        return _follow(client, client.resubmit(run, request), wait=wait, seconds=seconds, common=common)


def _start(
    file: Path,
    model: str | None,
    note: str,
    metrics: Path | None,
    *,
    wait: bool,
    timeout: str | None,
    common: Common,
) -> int:
    screen = Screen(common)
    seconds = seconds_of(timeout)
    claimed = read_metrics(metrics)
    text, pipeline = read_pipeline(file, screen)
    with connect(common) as client:
        request = request_for(client, file, text, pipeline, screen, model=model, note=note, metrics=claimed)
        return _follow(client, client.submit(request), wait=wait, seconds=seconds, common=common)


def request_for(
    client: Client,
    file: Path,
    text: str,
    pipeline: Pipeline,
    screen: Screen,
    *,
    model: str | None,
    note: str,
    metrics: dict[str, Any] | None,
) -> SubmitRequest:
    """What starts a run of the pipeline in `file`; the folder that its commands need and local files are uploaded."""
    from signoff.sdk.offer import choose_model
    from signoff.sdk.submission import upload_folder
    from signoff.wire.runs import SubmitRequest

    folder = (file if file.is_dir() else file.parent).resolve()
    return SubmitRequest(
        pipeline=text,
        filename=DEFAULT_FILE if file.is_dir() else file.name[-200:],
        folder_name=folder.name or None,
        snapshot=upload_folder(client, folder, screen.note) if runs_commands(pipeline) else None,
        note=note,
        metrics=metrics,
        **({} if model is None else choose_model(client, model)),
    )


def _follow(client: Client, body: RunBody, *, wait: bool, seconds: float | None, common: Common) -> int:
    """Say what has begun and, with `wait`, stay until it has ended."""
    screen = Screen(common)
    if screen.is_quiet:
        screen.essential(body.id)
    about = f"{body.model} v{body.version}" if body.version else body.model
    goes = "has begun" if body.attempt == 1 else f"goes on with attempt {body.attempt} of {body.max_attempts}"
    screen.say(f"Run [bold]{safe(body.id)}[/] of {safe(body.pipeline)} {goes}, about {safe(about)}.")
    if wait:
        from signoff.cli.waiting import wait_for

        return wait_for(client, body, screen, seconds)
    if screen.is_json:
        screen.document(body)
    screen.say(f"  signoff show {body.id}  shows how it stands")
    return Exit.DONE


def read_pipeline(file: Path, screen: Screen) -> tuple[str, Pipeline]:
    """The file's text and what it says; every problem is said before anything is sent."""
    text, reading = read_file(file)
    problems = "\n".join(problem.text() for problem in reading.problems)
    if reading.pipeline is None:
        count = len(reading.errors)
        raise PipelineError(
            f"{file} has {'an error' if count == 1 else f'{count} errors'}, and nothing was sent.\n{problems}\n",
            "Mend the file, then check it with `signoff validate`.",
            reading.problems,
        )
    if problems:
        screen.note(problems)
    return text, reading.pipeline


def runs_commands(pipeline: Pipeline) -> bool:
    """Whether a step of it runs a command, which needs the file's folder."""
    return any(getattr(step, "command", None) is not None for step in pipeline.steps)


def read_metrics(file: Path | None) -> dict[str, Any] | None:
    """The metrics that the caller claims, from a JSON file."""
    if file is None:
        return None
    hint = 'Write a JSON object such as {"accuracy": 0.93}.'
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidError(f"{file} cannot be read: {error.strerror}.", hint) from error
    except ValueError as error:
        raise InvalidError(f"{clean(str(file))} is not JSON: {error}.", hint) from error
    if not isinstance(found, dict):
        raise InvalidError(f"{file} holds no JSON object.", hint)
    return found


def _read_answer(text: str) -> tuple[str, str]:
    key, sign, words = text.partition("=")
    if not sign or not key.strip() or not words.strip():
        hint = '`signoff show RUN` numbers the reasons; write --answer 1="what was done".'
        raise InvalidError(f"--answer {text!r} is not N=TEXT.", hint)
    return key.strip(), words.strip()


def seconds_of(timeout: str | None) -> float | None:
    """A span such as 2h, in seconds."""
    from signoff.spec.duration import HINT, parse_duration

    if timeout is None:
        return None
    try:
        return parse_duration(timeout).total_seconds()
    except ValueError as error:
        raise InvalidError(f"--timeout {timeout!r} {error}.", f"{HINT[0].upper()}{HINT[1:]}.") from error
