"""`signoff cancel`, `retry` and `rollback`: what changes the course of a run or of a deployment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, MessageOption, RunArgument, connect
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import InvalidError, UnhealthyError

if TYPE_CHECKING:
    from signoff.sdk.client import Client
    from signoff.wire.runs import DeploymentBody

POLL_S = 0.25
PATIENCE_S = 600.0


def cancel(run: RunArgument, /, *, common: Common = NOTHING) -> int:
    """End a run. What it has deployed stays."""
    screen = Screen(common)
    with connect(common) as client:
        body = client.cancel(run)
    if screen.is_json:
        screen.document(body)
    screen.say(f"Run {safe(body.id)} is cancelled.")
    return Exit.DONE


def retry(run: RunArgument, /, *, common: Common = NOTHING) -> int:
    """Do the step at which a run errored again."""
    screen = Screen(common)
    with connect(common) as client:
        body = client.retry(run)
    if screen.is_json:
        screen.document(body)
    screen.say(f"Run {safe(body.id)} goes on{f' at {safe(body.step)}' if body.step else ''}.")
    return Exit.DONE


def rollback(
    environment: str,
    model: str,
    /,
    *,
    message: Annotated[MessageOption, Parameter(help="Why; it is kept.")] = "",
    to: Annotated[str | None, Parameter(metavar="VERSION", help="Default: the version that was live before.")] = None,
    common: Common = NOTHING,
) -> int:
    """Make a version that was live before live again, and wait until it is."""
    from signoff.cli.words import deployed
    from signoff.wire.runs import RollbackRequest

    if not message.strip():
        raise InvalidError("A rollback needs a reason.", "Say it with -m WHY.")
    screen = Screen(common)
    with connect(common) as client:
        begun = client.roll_back(environment, model, RollbackRequest(why=message, to=to))
        screen.say(f"Rolling {safe(model)} in {safe(environment)} back to v{safe(begun.version)} ...")
        ended = await_deployment(client, begun)
    if screen.is_json:
        screen.document(ended)
    if ended.status == "restored":
        screen.say(f"[green]✔[/] {deployed(ended)}, which was signed off, is back in {safe(environment)}.")
        return Exit.DONE
    if ended.status != "live":
        raise UnhealthyError(
            f"The rollback to v{ended.version} failed: {ended.note or 'no reason is known'}.",
            f"`signoff deployments {environment}` shows what is live.",
        )
    at = f" at {safe(ended.address)}" if ended.address else ""
    screen.say(f"[green]✔[/] {deployed(ended)} is live in {safe(environment)}{at}.")
    return Exit.DONE


def await_deployment(client: Client, begun: DeploymentBody) -> DeploymentBody:
    """The deployment once it is no longer under way."""
    deadline = time.monotonic() + PATIENCE_S
    now = begun
    while now.status == "deploying" and time.monotonic() < deadline:
        time.sleep(POLL_S)
        now = client.get_deployment(begun.id)
    return now
