"""`signoff target`: what people and machines are told through, how each fares, and what was delivered."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.people import asked
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table
from signoff.domain.errors import InvalidError

if TYPE_CHECKING:
    from signoff.wire.notifications import DeliveryBody, TargetBody

app = App(name="target", help="What people and machines are told through: mail, chat services, webhooks.")

_ANSWERS_WITHIN = 20.0
NameArgument = Annotated[str, Parameter(name="NAME", help="The target's name.")]
DeliveryArgument = Annotated[str, Parameter(name="ID", help="As `signoff target deliveries` shows it.")]


@app.command(name="list")
def list_targets(*, common: Common = NOTHING) -> int:
    """Every target, what it hears of, and whether it works. Administrators only."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.notifications.list_targets()
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for target in found.items if screen.is_quiet else ():
        screen.essential(target.name)
    if not found.items:
        screen.say("No targets. Set SIGNOFF_SMTP_URL for mail; `signoff target add` adds chat services and webhooks.")
        return Exit.DONE
    rows = [
        [safe(t.name), safe(t.kind), safe(t.url if t.kind != "mail" else ""), safe(_hears(t)), _state(t)]
        for t in found.items
    ]
    screen.say(table(["name", "kind", "address", "hears of", ""], rows, least=["name"], cut="hears of"))
    return Exit.DONE


@app.command
def add(
    name: NameArgument,
    url: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="The address; - reads it from standard input, so that no list of processes shows it.",
        ),
    ],
    /,
    *,
    kind: Annotated[
        str | None,
        Parameter(
            help="webhook (default for http and https), slack (default for hooks.slack.com), or chat (an Apprise URL; "
            "default for others)."
        ),
    ] = None,
    event: Annotated[
        list[str] | None, Parameter(metavar="PATTERN", help="What it hears of, as gate.*; several times. Default: all.")
    ] = None,
    model: Annotated[
        list[str] | None,
        Parameter(metavar="PATTERN", help="Of which models, as fraud-*. Default: of pipelines that name it."),
    ] = None,
    person: Annotated[str | None, Parameter(metavar="NAME", help="Makes it the way this person is told.")] = None,
    common: Common = NOTHING,
) -> int:
    """Define a target. Pipelines name it under `notify:`. Administrators only."""
    from signoff.wire.notifications import TargetRequest

    screen = Screen(common)
    address = sys.stdin.readline().strip() if url == "-" else url
    if kind is None:
        kind = _kind(address)
    if kind not in {"webhook", "slack", "chat"}:
        hint = "Say webhook, slack or chat; mail comes with SIGNOFF_SMTP_URL."
        raise InvalidError(f"{kind!r} is no kind of target.", hint)
    given = {"name": name, "kind": kind, "url": address, "models": model or [], "person": person}
    request = asked(TargetRequest, {**given, **({"events": event} if event else {})})
    with connect(common) as client:
        made = client.notifications.add_target(request)
    if screen.is_json:
        screen.document(made)
        return Exit.DONE
    screen.say(f"[green]✔[/] {safe(made.name)} hears of {safe(_hears(made))}")
    if made.secret is not None:
        screen.say("  Its receiver checks signatures with this secret, which is shown this once:")
        screen.essential(made.secret)  # in one piece, however narrow the terminal
    screen.say(f"  signoff target test {safe(made.name)}  sends something harmless through it")
    return Exit.DONE


@app.command(name="test")
def try_out(name: NameArgument, /, *, common: Common = NOTHING) -> int:
    """Send something harmless through a target, and say what was answered."""
    screen = Screen(common)
    with connect(common) as client:
        sent = client.notifications.try_target(name)
        until = time.monotonic() + _ANSWERS_WITHIN
        while sent.status == "waiting" and not sent.tries and time.monotonic() < until:
            time.sleep(0.2)
            sent = client.notifications.get_delivery(sent.id)
    if screen.is_json:
        screen.document(sent)
    if sent.status == "sent":
        screen.say(f"[green]✔[/] {safe(name)} took it: {safe(sent.answer)}")
        return Exit.DONE
    answer = sent.answer or f"no answer within {_ANSWERS_WITHIN:.0f} s; does a worker run?"
    screen.say(f"[red]✘[/] {safe(name)}: {safe(answer)}")
    return Exit.BROKE


@app.command
def pause(
    name: NameArgument,
    /,
    *,
    message: Annotated[str, Parameter(name=("-m", "--message"), help="Why.")] = "",
    common: Common = NOTHING,
) -> int:
    """Hold back whatever is due for a target, for a day at most."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.notifications.pause_target(name, message)
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(name)} is paused. `signoff target resume {safe(name)}` sends what is due.")
    return Exit.DONE


@app.command
def resume(name: NameArgument, /, *, common: Common = NOTHING) -> int:
    """Send again through a target: what became due in the last day goes out now."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.notifications.resume_target(name)
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(name)} is used again.")
    return Exit.DONE


@app.command
def remove(name: NameArgument, /, *, common: Common = NOTHING) -> int:
    """Forget a target; what was delivered through it stays on record."""
    screen = Screen(common)
    with connect(common) as client:
        client.notifications.remove_target(name)
    if screen.is_json:
        screen.document({"removed": name})
    screen.say(f"{safe(name)} is gone.")
    return Exit.DONE


@app.command
def deliveries(
    name: Annotated[str | None, Parameter(name="NAME", help="Only those through this target.")] = None,
    /,
    *,
    run: Annotated[
        str | None, Parameter(metavar="RUN", help="Only those about this run, which everybody may see.")
    ] = None,
    state: Annotated[str | None, Parameter(help="waiting, sent, failed or dropped.")] = None,
    limit: Annotated[int, Parameter(help="How many at most, up to 200. Default: 50.")] = 50,
    common: Common = NOTHING,
) -> int:
    """What was sent to whom, and what was answered, newest first."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.notifications.list_deliveries(target=name, run=run, state=state, limit=limit)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for one in found.items if screen.is_quiet else ():
        screen.essential(one.id)
    if not found.items:
        screen.say("Nothing was sent.")
        return Exit.DONE
    screen.say(table(["id", "when", "to", "what", "state", "answer"], [_row(one) for one in found.items], cut="what"))
    return Exit.DONE


@app.command
def redeliver(delivery_id: DeliveryArgument, /, *, common: Common = NOTHING) -> int:
    """Send a delivery once more, under the same id."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.notifications.redeliver(delivery_id)
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(found.id)} is sent again: {safe(found.title)}")
    return Exit.DONE


def _kind(address: str) -> str:
    """What an address looks like."""
    if not address.startswith(("http://", "https://")):
        return "chat"
    return "slack" if address.startswith(("https://hooks.slack.com/", "https://hooks.slack-gov.com/")) else "webhook"


def _hears(target: TargetBody) -> str:
    if target.kind == "mail":
        return "what concerns each person"
    if target.person is not None:
        return f"what concerns {target.person}"
    models = ", ".join(target.models) if target.models else "pipelines that name it"
    return f"{', '.join(target.events)} of {models}" if target.events != ["*"] else models


def _state(target: TargetBody) -> str:
    if target.paused_at is not None:
        return f"[yellow]paused[/]: {safe(target.paused_why)}"
    return f"[red]failed {target.failures} times in a row[/]" if target.failures else "[green]works[/]"


def _row(one: DeliveryBody) -> list[str]:
    from signoff.cli.words import ago

    to = f"{one.person} ({one.target})" if one.person is not None else one.target
    return [safe(one.id), ago(one.made_at), safe(to), safe(one.title), safe(one.status), safe(one.answer)]
