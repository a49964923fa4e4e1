"""`signoff audit list`."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table
from signoff.domain.errors import InvalidError

app = App(name="audit", help="What happened, who did it, and when.")
LISTED = 50
_DIGEST = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}")


@app.command(name="list")
def list_audit(
    *,
    run: Annotated[str | None, Parameter(help="Of this run (an id, a prefix, or `last`).")] = None,
    model: Annotated[str | None, Parameter(help="About this model.")] = None,
    kind: Annotated[str | None, Parameter(name="--type", help="Of this type, such as gate.decided.")] = None,
    actor: Annotated[str | None, Parameter(help="By this person.")] = None,
    limit: Annotated[int, Parameter(help=f"At most so many. Default: {LISTED}.")] = LISTED,
    common: Common = NOTHING,
) -> int:
    """Audit events, newest first. All of them are for auditors and administrators; a run's are for everybody."""
    from signoff.cli.words import moment
    from signoff.sdk.paging import gather

    if limit < 1:
        raise InvalidError(f"--limit {limit} lists nothing.", "Give a number from 1.")
    screen = Screen(common)
    with connect(common) as client:
        wanted = {"run": run, "model": model, "type": kind, "actor": actor}
        found = gather(lambda cursor, count: client.list_audit(**wanted, cursor=cursor, limit=count), limit)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    rows = [
        [
            str(event.index),
            moment(event.at),
            f"[bold]{safe(event.type)}[/]",
            safe(event.actor),
            safe(event.run_id or ""),
            f"[dim]{safe(_detail(event.detail))}[/]",
        ]
        for event in found.items
    ]
    screen.say(table(["#", "when", "what", "who", "run", "detail"], rows, least=["#"], cut="detail"))
    if found.next:
        screen.say(f"[dim]There are more: --limit {limit * 4}.[/]")
    return Exit.DONE


def _detail(detail: dict[str, Any]) -> str:
    """What an event tells besides, in a line; `--json` has all of it."""
    said = [
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in detail.items()
        if value not in (None, "", [], {})
    ]
    return _DIGEST.sub(r"\1...", " ".join(said))
