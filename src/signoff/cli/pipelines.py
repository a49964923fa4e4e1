"""`signoff pipeline`: files that new versions of a model start by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.files import DEFAULT_FILE
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.people import asked
from signoff.cli.screen import Screen, safe
from signoff.cli.submitting import read_pipeline, runs_commands
from signoff.cli.table import table
from signoff.cli.words import ago

if TYPE_CHECKING:
    from signoff.wire.watches import PipelineBody, StartBody

app = App(name="pipeline", help="Pipeline files that new versions of a model start by themselves.")

NameArgument = Annotated[str, Parameter(name="NAME", help="As `signoff pipeline list` shows it.")]


@app.command
def add(
    file: Annotated[Path, Parameter(help="The pipeline file. Default: ./signoff.yaml.")] = Path(DEFAULT_FILE),
    /,
    *,
    since: Annotated[
        int | None,
        Parameter(name="--from", metavar="VERSION", help="The first version to run. Default: the next new one."),
    ] = None,
    common: Common = NOTHING,
) -> int:
    """Register a file that says `on: {model_version: NAME}`. Its runs count as submitted by you.

    Registering a file of the same name again takes the former one's place.
    """
    from signoff.sdk.submission import upload_folder
    from signoff.wire.watches import PipelineRequest

    screen = Screen(common)
    text, pipeline = read_pipeline(file, screen)
    folder = (file if file.is_dir() else file.parent).resolve()
    given = {
        "pipeline": text,
        "filename": DEFAULT_FILE if file.is_dir() else file.name[-200:],
        "folder_name": folder.name or None,
        "since": since,
    }
    request = asked(PipelineRequest, given)
    with connect(common) as client:
        if runs_commands(pipeline):
            request = request.model_copy(update={"snapshot": upload_folder(client, folder, screen.note)})
        made = client.pipelines.register(request)
    if screen.is_json:
        screen.document(made)
        return Exit.DONE
    screen.say(f"[green]✔[/] {safe(made.name)} starts with each new version of {safe(made.watched)}: {_after(made)}")
    if made.model != made.watched:
        screen.say(f"  Each is copied into {safe(made.model)}, and reviewed and deployed as that.")
    screen.say(f"  Its runs count as submitted by {safe(made.owner)}, who approves none of them.")
    if made.made_by:
        screen.say(f"  Nor does anybody of {safe(', '.join(made.made_by))}, who may register versions.")
    return Exit.DONE


@app.command(name="list")
def list_pipelines(*, common: Common = NOTHING) -> int:
    """Every registered pipeline, and what came of the newest version."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.pipelines.list()
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for pipeline in found.items if screen.is_quiet else ():
        screen.essential(pipeline.name)
    if not found.items:
        screen.say("No registered pipelines. `signoff pipeline add FILE` makes one.")
        return Exit.DONE
    rows = [[safe(p.name), safe(p.watched), safe(p.owner), _state(p)] for p in found.items]
    screen.say(table(["name", "started by", "submits as", "newest"], rows, least=["submits as"], cut="newest"))
    return Exit.DONE


@app.command
def show(name: NameArgument, /, *, common: Common = NOTHING) -> int:
    """A registered pipeline, and what came of the newest versions."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.pipelines.get(name)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    screen.say(f"[bold]{safe(found.name)}[/] starts with each new version of {safe(found.watched)}: {_after(found)}")
    screen.say(f"  about        {safe(found.model)}")
    screen.say(f"  submits as   {safe(found.owner)}, since {ago(found.added_at)}")
    screen.say(f"  made by      {safe(', '.join(found.made_by) or 'not said: on: {made_by: [...]}')}")
    looked = ago(found.looked_at) if found.looked_at is not None else "not yet; does a worker run?"
    screen.say(f"  looked       {looked}")
    if found.problem is not None and found.problem_at is not None:
        screen.say(f"  [yellow]waits[/]        since {ago(found.problem_at)}: {safe(found.problem)}")
    for start in found.starts:
        screen.say(f"  v{start.version:<10}  {_came(start)}")
    return Exit.DONE


@app.command
def remove(name: NameArgument, /, *, common: Common = NOTHING) -> int:
    """Start it no more. Its runs go on."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.pipelines.remove(name)
    if screen.is_json:
        screen.document(found)
    screen.say(f"New versions of {safe(found.watched)} start {safe(found.name)} no more.")
    return Exit.DONE


def _after(pipeline: PipelineBody) -> str:
    return f"v{pipeline.seen + 1} is the next" if pipeline.seen else "the first is the next"


def _state(pipeline: PipelineBody) -> str:
    if pipeline.problem is not None:
        return f"[yellow]waits[/]: {safe(pipeline.problem)}"
    return f"v{pipeline.starts[0].version}: {_came(pipeline.starts[0])}" if pipeline.starts else "no new version yet"


def _came(start: StartBody) -> str:
    if start.run is None:
        return f"[yellow]no run[/]: {safe(start.why_not or '')}"
    why = f" ({safe(start.why_not)})" if start.why_not else ""
    return f"run {safe(start.run)}{why}"
