"""`signoff policy replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table

if TYPE_CHECKING:
    from signoff.wire.replay import QueueBody, ReplayBody

app = App(name="policy", help="Try a draft pipeline on past runs.")
LISTED = 20
_SAID = {"approved": "approved", "blocked": "blocked by a check", "people": "to people"}


@app.command
def replay(
    file: Annotated[Path, Parameter(name="FILE", help="The draft: a pipeline file, or its folder.")],
    /,
    *,
    model: Annotated[str | None, Parameter(help="Whose past runs. Default: the model that the file names.")] = None,
    since: Annotated[str | None, Parameter(help="Runs of the last so long, such as 90d. Default: all.")] = None,
    limit: Annotated[int, Parameter(help=f"At most so many changes are listed. Default: {LISTED}.")] = LISTED,
    common: Common = NOTHING,
) -> int:
    """What a draft's checks and auto-approval would have made of past runs; nothing is changed."""
    from signoff.cli.files import read_file
    from signoff.wire.replay import ReplayRequest

    screen = Screen(common)
    text, _ = read_file(file)
    folder = file.resolve() if file.is_dir() else file.resolve().parent
    with connect(common) as client:
        request = ReplayRequest(pipeline=text, model=model, since=since, folder_name=folder.name)
        found = client.replay_policy(request)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    _tell(screen, found, max(0, limit))
    return Exit.DONE


def _tell(screen: Screen, found: ReplayBody, limit: int) -> None:
    """The counts, the queues, and the changes one by one."""
    from signoff.cli.words import moment, span

    attempts = "1 past attempt" if found.attempts == 1 else f"{found.attempts:,} past attempts"
    screen.say(f"[bold]{safe(found.pipeline)}[/] on {attempts} of [bold]{safe(found.model)}[/]")
    if not found.attempts:
        screen.say("[dim]There is nothing to try it on.[/]")
        return
    rows = [
        [words, f"{found.was.get(outcome, 0):,}", f"[bold]{found.would.get(outcome, 0):,}[/]", _change(found, outcome)]
        for outcome, words in _SAID.items()
    ]
    screen.say(table(["", "was", "would be", ""], rows))
    for queue in found.queues:
        screen.say(_queue(queue))
    if found.usual_wait_seconds is not None:
        screen.say(f"[dim]People usually took {span(found.usual_wait_seconds)}.[/]")
    if not found.changes:
        screen.say("\nNothing would have come out otherwise.")
        return
    changes = "1 outcome" if len(found.changes) == 1 else f"{len(found.changes):,} outcomes"
    screen.say(f"\n[bold]{changes} would have been another[/]")
    shown = found.changes[:limit]
    screen.say(
        table(
            ["run", "version", "when", "was", "would be", "why"],
            [
                [
                    safe(one.run_id if one.attempt == 1 else f"{one.run_id} ({one.attempt})"),
                    f"v{safe(one.version)}",
                    moment(one.at),
                    safe(one.was),
                    f"[bold]{safe(one.would)}[/]",
                    f"[dim]{safe(one.why)}[/]",
                ]
                for one in shown
            ],
            least=["when", "version"],
            cut="why",
        )
        if shown
        else ""
    )
    if len(shown) < len(found.changes):
        screen.say(f"[dim]There are more: --limit {len(found.changes)}.[/]")


def _change(found: ReplayBody, outcome: str) -> str:
    change = found.would.get(outcome, 0) - found.was.get(outcome, 0)
    return f"[dim]{change:+,}[/]" if change else ""


def _queue(queue: QueueBody) -> str:
    """One rule's queue in a line."""
    name = safe(queue.step if queue.rule == queue.step else f"{queue.step}, {queue.rule}")
    whose = safe(", ".join(queue.approvers))
    if not queue.sent:
        return f"{name} ({whose}): nothing would have come"
    most = f", at most {queue.most_a_day:,} a day ({queue.busiest_on:%Y-%m-%d})" if queue.busiest_on else ""
    at_once = f", {queue.most_at_once:,} waiting at once" if queue.most_at_once else ""
    needed = "" if queue.required_approvals == 1 else f", {queue.required_approvals} approvals each"
    return f"{name} ({whose}): {queue.sent:,} would have come{most}{at_once}{needed}"
