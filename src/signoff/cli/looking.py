"""`signoff inbox`, `list`, `show`, `explain` and `logs`: reading what is going on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, RunArgument, connect
from signoff.cli.screen import Screen, safe, write_log
from signoff.cli.table import table
from signoff.domain.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from signoff.wire.runs import RunBody

LISTED = 30

State = Literal[
    "running",
    "waiting",
    "changes_requested",
    "succeeded",
    "failed",
    "rejected",
    "errored",
    "expired",
    "cancelled",
    "superseded",
]


def inbox(*, common: Common = NOTHING) -> int:
    """What waits for you, and which of your own runs wait for others."""
    from signoff.cli.words import since, version_of

    screen = Screen(common)
    with connect(common) as client:
        found = client.inbox()
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for item in found.items:
        screen.essential(item.run.id) if screen.is_quiet else None
    mine = [item for item in found.items if item.can_decide]
    others = [item for item in found.items if not item.can_decide]
    if not found.items:
        screen.say("Nothing waits for you.")
    for heading, items in (("Waits for you", mine), ("Waits for others", others)):
        if items:
            screen.say(f"[bold]{heading}[/]")
        for item in items:
            what = f"{version_of(item.run)} · {safe(item.step)}"
            screen.say(f"  [yellow]◆[/] [bold]{safe(item.run.id)}[/]  {what}  [dim]for {since(item.waits_since)}[/]")
            screen.say(f"    {safe(item.sentence)}" + ("" if item.can_decide else f" You: {safe(item.why)}."))
    return Exit.DONE


def list_runs(
    *,
    waiting_on: Annotated[str | None, Parameter(metavar="PERSON", help="Runs that this person can move; `me`.")] = None,
    state: Annotated[State | None, Parameter(help="How it stands.")] = None,
    model: Annotated[str | None, Parameter(help="Runs about this model.")] = None,
    submitter: Annotated[str | None, Parameter(metavar="PERSON", help="Runs that this person began; `me`.")] = None,
    limit: Annotated[int, Parameter(help=f"At most so many. Default: {LISTED}.")] = LISTED,
    common: Common = NOTHING,
) -> int:
    """Runs, newest first."""
    from signoff.cli.words import age, few, sign, standing, status, version_of
    from signoff.sdk.paging import gather

    if limit < 1:
        raise InvalidError(f"--limit {limit} lists nothing.", "Give a number from 1.")
    screen = Screen(common)
    with connect(common) as client:
        wanted = {"state": state, "model": model, "waiting_on": waiting_on, "submitter": submitter}
        found = gather(lambda cursor, count: client.list_runs(**wanted, cursor=cursor, limit=count), limit)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    if screen.is_quiet:
        for run in found.items:
            screen.essential(run.id)
        return Exit.DONE
    if not found.items:
        is_asked = any((waiting_on, state, model, submitter))
        screen.say("No such runs." if is_asked else "No runs yet: `signoff run` or `signoff submit` starts one.")
        return Exit.DONE
    rows = [
        [
            f"[bold]{safe(run.id)}[/]",
            version_of(run),
            f"{sign(standing(run))} {status(standing(run))}",
            safe(run.step or ""),
            f"{run.attempt}/{run.max_attempts}",
            safe(run.submitter),
            age(run.created_at),
            safe(few(run.can_unblock)),
        ]
        for run in found.items
    ]
    headings = ["run", "model", "status", "step", "attempt", "by", "age", "waits for"]
    screen.say(table(headings, rows, least=["attempt", "by", "age", "step"], cut="model"))
    if found.next:
        screen.say(f"[dim]There are more: --limit {limit * 4}.[/]")
    return Exit.DONE


def show(run: RunArgument = "last", /, *, common: Common = NOTHING) -> int:
    """Show a run: where it stands, what it waits for and whom, its metrics, checks and decisions."""
    from signoff.cli.run_page import page

    screen = Screen(common)
    with connect(common) as client:
        body = client.get_run(run)
    if screen.is_json:
        screen.document(body)
    elif screen.is_quiet:
        screen.essential(body.status)
    for part in () if screen.is_json or screen.is_quiet else page(body):
        screen.say(part)
    return Exit.DONE


def explain(
    run: RunArgument = "last",
    /,
    *,
    step: Annotated[str | None, Parameter(help="The approval step. Default: the one that waits.")] = None,
    person: Annotated[str | None, Parameter(metavar="NAME", help="Only about this person: can they, and why.")] = None,
    common: Common = NOTHING,
) -> int:
    """Tell what a run waits for, who can give it, and why others cannot."""
    from signoff.cli.run_page import open_gate

    screen = Screen(common)
    with connect(common) as client:
        body = client.get_run(run)
        gate = open_gate(body)
        chosen = step or (gate.step if gate is not None else None)
        if chosen is None:
            _explain_without_gate(screen, body)
            return Exit.DONE
        found = client.explain(body.id, chosen, person=person)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    if person is not None:
        told = next(who for who in found.people if who.person == person)
        verb = "[green]can decide[/]" if told.can_decide else "cannot decide"
        screen.say(f"[bold]{safe(person)}[/] {verb} about {safe(found.step)}: {safe(told.why)}.")
        return Exit.DONE
    screen.say(f"[bold]{safe(found.sentence)}[/]")
    for rule in found.rules:
        screen.say(f"  {safe(rule)}")
    if found.people:
        screen.say("")
        rows = [
            ["[green]can[/]" if person.can_decide else "[dim]cannot[/]", safe(person.person), safe(person.why)]
            for person in found.people
        ]
        screen.say(table(["decide", "who", "why"], rows, cut="why"))
    return Exit.DONE


def logs(
    run: RunArgument = "last",
    step: Annotated[str | None, Parameter(help="Default: the step that runs, else the last one that ran.")] = None,
    /,
    *,
    follow: Annotated[bool, Parameter(help="Go on until the step has ended.")] = False,
    attempt: Annotated[int | None, Parameter(help="Of this attempt. Default: the present one.")] = None,
    common: Common = NOTHING,
) -> int:
    """Print what the command of a step printed."""
    from codecs import getincrementaldecoder

    from signoff.sdk.run import read_log

    screen = Screen(common)
    with connect(common) as client:
        body = client.get_run(run)
        number = attempt or body.attempt
        chosen = step or _step_that_ran(body, number)
        parts = read_log(client, body.id, chosen, attempt=number, follow=follow)
        if screen.is_json:
            text = b"".join(parts).decode("utf-8", errors="replace")
            screen.document({"run": body.id, "step": chosen, "attempt": number, "log": text})
            return Exit.DONE
        decoder = getincrementaldecoder("utf-8")(errors="replace")
        is_empty = True
        for part in parts:
            is_empty = False
            write_log(decoder.decode(part))
    if is_empty:
        screen.note(f"{chosen} has printed nothing in attempt {number}.")
    return Exit.DONE


def _explain_without_gate(screen: Screen, run: RunBody) -> None:
    """What there is to say about a run of which no gate waits."""
    from signoff.cli.words import outlook, plain
    from signoff.wire.gates import ExplanationBody

    words = [f"Run {run.id} is {plain(run.status)}."]
    words += [outlook(run.waits_for)] if run.waits_for else []
    words += [run.error] if run.error else []
    if screen.is_json:
        screen.document(ExplanationBody(step=run.step or "", status=run.status, sentence=" ".join(words)))
    screen.say(safe(" ".join(words)))


def _step_that_ran(run: RunBody, number: int) -> str:
    """The step of attempt `number` that runs or broke, else the last one that ran a command and may have a log.

    Raises:
        NotFoundError: none did yet.
    """
    steps = next((attempt.steps for attempt in run.attempts if attempt.number == number), [])
    for status in ("running", "errored", "failed"):
        for step in steps:
            if step.status == status and step.type != "approval":
                return step.name
    ran = [step.name for step in steps if step.type in {"training", "test"} and step.started_at is not None]
    if not ran:
        raise NotFoundError(
            f"No step of run {run.id} has run a command in attempt {number}.",
            f"`signoff show {run.id}` shows its steps.",
        )
    return ran[-1]
