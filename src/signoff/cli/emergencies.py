"""`signoff deploy --break-glass` and `signoff revoke`: where review is skipped, or was wrong."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from signoff.cli import steering
from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, MessageOption, connect
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import CannotDecideError, InvalidError, UnhealthyError

if TYPE_CHECKING:
    from signoff.sdk.client import Client
    from signoff.wire.emergencies import EmergencyViewBody

_YES = frozenset({"y", "yes"})
_PREFIX = "models:/"


def deploy(
    environment: str,
    model: Annotated[str, Parameter(help="models:/NAME/VERSION or models:/NAME@ALIAS.")],
    /,
    *,
    break_glass: Annotated[bool, Parameter(help="Without review, on the word of several people.")] = False,
    message: Annotated[MessageOption, Parameter(help="Why; everybody reads it.")] = "",
    confirm: Annotated[str | None, Parameter(metavar="ID", help="Give your word for what was asked for.")] = None,
    cancel: Annotated[bool, Parameter(help="Call off the request that waits.")] = False,
    yes: Annotated[bool, Parameter(help="Do not ask; for scripts that have just read it.")] = False,
    common: Common = NOTHING,
) -> int:
    """Deploy a version without review: one person asks, others confirm by the same command; a review is owed then."""
    if not break_glass:
        raise InvalidError(
            "A version is deployed by the deployment step of an approved run.",
            "`signoff submit MODEL` asks for the approval; in an emergency: --break-glass.",
        )
    name, version = _parsed(model)
    screen = Screen(common)
    with connect(common) as client:
        if cancel:
            ended = client.cancel_break_glass(environment, name)
            if screen.is_json:
                screen.document(ended)
            screen.say(f"The emergency deployment of {_label(ended)} is cancelled.")
            return Exit.DONE
        pending = _pending(client, environment, name, version, confirm)
        found = (
            _confirm(client, screen, pending, is_sure=yes)
            if pending is not None
            else _ask(client, environment, name, model, message)
        )
        if found is None:
            screen.say("Nothing was done.")
            return Exit.REFUSED
        found = _wait(client, found)
    if screen.is_json:
        screen.document(found)
    else:
        _tell(screen, found)
    if found.status == "failed":
        raise UnhealthyError(f"The emergency deployment failed: {found.note}", "What was live before serves on.")
    return Exit.DONE


def revoke(
    model: str,
    version: str,
    /,
    *,
    message: Annotated[MessageOption, Parameter(help="Why; it is kept.")] = "",
    rollback: Annotated[bool, Parameter(help="Also roll back every environment that serves it.")] = False,
    common: Common = NOTHING,
) -> int:
    """Take back what was approved of a version. What serves it goes on, loudly, unless you say --rollback."""
    from signoff.wire.revocations import RevokeRequest

    if not message.strip():
        raise InvalidError("A revocation needs a reason.", "Say it with -m WHY.")
    screen = Screen(common)
    with connect(common) as client:
        done = client.revoke(model, version.removeprefix("v"), RevokeRequest(why=message, rollback=rollback))
        ended = [steering.await_deployment(client, begun) for begun in done.rollbacks]
    if screen.is_json:
        screen.document(done.model_copy(update={"rollbacks": ended}))
    screen.say(f"[green]✔[/] {safe(done.model)} v{safe(done.version)} is revoked: nothing is deployed on it any more.")
    for run in done.reopened:
        screen.say(f"  Its gate opens again: run {safe(run)}.")
    back = {one.environment: one for one in ended if one.status == "live"}
    for one in back.values():
        screen.say(f"[green]✔[/] {safe(one.environment)} serves v{safe(one.version)} again.")
    for one in ended:
        if one.status != "live":
            screen.say(f"[bold red]![/] {safe(one.environment)} could not be rolled back: {safe(one.note)}")
    for kept in done.not_rolled_back:
        screen.say(f"[bold red]![/] {safe(kept.environment)} could not be rolled back: {safe(kept.why)}")
    for name in done.live_in:
        if name not in back:
            command = f"signoff rollback {safe(name)} {safe(done.model)} -m WHY"
            screen.say(f"[bold red]![/] {safe(name)} still serves it: `{command}` ends that.")
    return Exit.DONE if not rollback or len(back) == len(done.live_in) else Exit.BROKE


def _parsed(model: str) -> tuple[str, str | None]:
    """The name and version of ``models:/name/3``; no version for an alias or a plain name."""
    name, slash, version = model.removeprefix(_PREFIX).partition("/")
    return name.partition("@")[0], version if slash and model.startswith(_PREFIX) else None


def _label(found: EmergencyViewBody) -> str:
    return f"{safe(found.model)} v{safe(found.version)} to {safe(found.environment)}"


def _pending(
    client: Client, environment: str, name: str, version: str | None, confirm: str | None
) -> EmergencyViewBody | None:
    """The request that is to be confirmed; None when this is a new one."""
    if confirm is not None:
        return client.get_emergency(confirm)
    waiting = [
        one
        for one in client.list_emergencies().items
        if (one.environment, one.model, one.status) == (environment, name, "requested")
    ]
    return next((one for one in waiting if one.version == version), None)


def _ask(client: Client, environment: str, name: str, model: str, why: str) -> EmergencyViewBody:
    from signoff.wire.emergencies import BreakGlassRequest

    if not model.startswith(_PREFIX):
        raise InvalidError(f"{model!r} names no version.", f"Say models:/{name}/VERSION or models:/{name}@ALIAS.")
    if not why.strip():
        raise InvalidError("Breaking the glass needs a reason.", "Say why with -m WHY.")
    return client.break_glass(environment, name, BreakGlassRequest(reference=model, why=why))


def _confirm(client: Client, screen: Screen, pending: EmergencyViewBody, *, is_sure: bool) -> EmergencyViewBody | None:
    """Show what was asked for and give one's word for exactly that; None when the person does not."""
    from signoff.wire.emergencies import BreakGlassRequest

    if not is_sure:
        if not screen.can_ask:
            raise CannotDecideError(
                "There is nobody to ask.", f"Read it (`signoff deployments`), then confirm {pending.id} with --yes."
            )
        for line in _shown(pending):
            screen.show(line)
        sys.stdout.write("Deploy exactly this without review? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in _YES:
            return None
    request = BreakGlassRequest(confirm=pending.id, digest=pending.digest)
    return client.break_glass(pending.environment, pending.model, request)


def _wait(client: Client, found: EmergencyViewBody) -> EmergencyViewBody:
    """The emergency once its deployment is no longer under way."""
    deadline = time.monotonic() + steering.PATIENCE_S
    while found.status == "deploying" and time.monotonic() < deadline:
        time.sleep(steering.POLL_S)
        found = client.get_emergency(found.id)
    return found


def _shown(found: EmergencyViewBody) -> list[str]:
    return [
        f"[bold red]![/] {safe(found.requested_by)} wants {_label(found)} [bold]without review[/]: {safe(found.why)}",
        f"  digest {safe(found.digest)}",
    ]


def _tell(screen: Screen, found: EmergencyViewBody) -> None:
    from signoff.cli.words import owed

    if found.status == "requested":
        for line in _shown(found):
            screen.say(line)
        screen.say(f"  {safe(found.sentence)} They say:")
        place = f"{safe(found.environment)} models:/{safe(found.model)}/{safe(found.version)}"
        screen.say(f"  signoff deploy --break-glass {place} --confirm {safe(found.id)}")
    elif found.status == "deployed":
        screen.say(f"[green]✔[/] {_label(found)} is done, [bold]without review[/].")
        screen.say(f"  {owed(found)}")
    elif found.status != "failed":
        screen.say(f"{_label(found)}: {safe(found.status)}. {safe(found.note)}".rstrip())
