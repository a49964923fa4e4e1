"""`signoff environment list`, `show` and `apply`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table
from signoff.domain.environment_errors import EnvironmentsFileError
from signoff.domain.errors import InvalidError
from signoff.domain.span import span

if TYPE_CHECKING:
    from signoff.wire.body import Page
    from signoff.wire.catalogue import EnvironmentBody
    from signoff.wire.environments import EnvironmentVersionBody
    from signoff.wire.runs import DeploymentBody

app = App(name="environment", help="Environments and their protection rules.")


@app.command(name="list")
def list_environments(*, common: Common = NOTHING) -> int:
    """Every environment, and what is live in it."""
    from signoff.cli.words import deployed

    screen = Screen(common)
    with connect(common) as client:
        found = client.list_environments()
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    if screen.is_quiet:
        for item in found.items:
            screen.essential(item.name)
        return Exit.DONE
    rows = [
        [
            f"[bold]{safe(item.name)}[/]",
            safe(item.deployer.get("type", "")),
            ", ".join(deployed(live) for live in item.live),
            safe("; ".join(filter(None, [item.frozen, *_demands(item)])) or "nothing beyond the pipeline's own rules"),
        ]
        for item in found.items
    ]
    screen.say(table(["environment", "deployer", "live", "demands"], rows, cut="demands"))
    return Exit.DONE


def _show_live(screen: Screen, live: DeploymentBody) -> None:
    from signoff.cli.words import ago, deployed, sign

    at = f" at {safe(live.address)}" if live.address else ""
    since = f" [dim]since {ago(live.live_at)}, run {safe(live.run_id)}[/]" if live.live_at else ""
    screen.say(f"  {sign('live')} {deployed(live)} is live{at}{since}")
    if live.warning:
        screen.say(f"  [bold red]![/] {safe(live.warning)}")


@app.command
def show(
    name: str,
    /,
    *,
    history: Annotated[bool, Parameter(help="Who changed what, newest first, instead.")] = False,
    common: Common = NOTHING,
) -> int:
    """One environment: what it demands, and what is live in it."""
    screen = Screen(common)
    with connect(common) as client:
        if history:
            return _tell_history(screen, client.environment_history(name))
        found = client.get_environment(name)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    details = ", ".join(f"{key} {_plain(value)}" for key, value in found.deployer.items() if key != "type" and value)
    screen.say(f"[bold]{safe(found.name)}[/]  deployed by {safe(found.deployer.get('type', '?'))} ({safe(details)})")
    for demand in _demands(found) or ["nothing beyond the pipeline's own rules"]:
        screen.say(f"  demands {safe(demand)}")
    if found.frozen:
        screen.say(f"  [yellow]{safe(found.frozen)}[/]")
    for window in found.freeze:
        screen.say(
            f"  [dim]frozen from {safe(window['from'])} until {safe(window['until'])}: {safe(window['reason'])}[/]"
        )
    for line in _ways_round(found):
        screen.say(f"  {safe(line)}")
    if found.accept_claimed:
        screen.say("  accepts claimed metrics")
    if found.promote_to:
        screen.say(f"  promotes to {safe(found.promote_to)}")
    for live in found.live:
        _show_live(screen, live)
    return Exit.DONE


def _plain(value: object) -> str:
    """A value of a deployer as one would write it: a command is its words."""
    return f"`{' '.join(map(str, value))}`" if isinstance(value, list) else str(value)


@app.command
def apply(
    *,
    file: Annotated[Path, Parameter(name=("-f", "--file"), help="The file of all environments.")],
    force: Annotated[bool, Parameter(help="Even where a gate that waits or something live stands in the way.")] = False,
    common: Common = NOTHING,
) -> int:
    """Make the environments of a file the ones there are; those that it does not name are removed."""
    from signoff.spec.environments import read_environments
    from signoff.wire.environments import EnvironmentsRequest

    screen = Screen(common)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidError(f"{file} cannot be read: {error.strerror}.", "Name the file with -f.") from error
    found, problems = read_environments(content, filename=str(file))
    if found is None:
        print("\n".join(problem.text() for problem in problems), file=sys.stderr)
        raise EnvironmentsFileError(f"{file} was not applied.", "Mend what is said above.", problems)
    with connect(common) as client:
        request = EnvironmentsRequest(document=content.decode(), filename=str(file)[-200:], force=force)
        applied = client.apply_environments(request)
    for place in applied.warnings:
        screen.note(f"{place.file}:{place.line}:{place.column}: warning: {place.message} ({place.hint})")
    if screen.is_json:
        screen.document(applied)
        return Exit.DONE
    for change in applied.changes:
        screen.essential(change)
    if not applied.changes:
        screen.say("Nothing changed.")
    for gate in applied.gates:
        screen.say(f"  {safe(gate)} is asked by the new rules from now on")
    for refusal in applied.despite:
        screen.say(f"  [yellow]forced, although:[/] {safe(refusal)}")
    return Exit.DONE


def _tell_history(screen: Screen, found: Page[EnvironmentVersionBody]) -> int:
    from signoff.cli.words import ago

    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for version in found.items:
        screen.say(f"[bold]{version.number}[/]  {safe(version.by)}, {ago(version.at)}")
        for change in version.changes:
            screen.say(f"   {safe(change)}")
    if not found.items:
        screen.say("It is as it always was.")
    return Exit.DONE


def _glass(glass: dict[str, Any]) -> str:
    who = f"{glass.get('required_approvals', 2)} of {', '.join(glass.get('approvers', ()))}"
    return f"{who}; reviewed within {glass.get('expires_seconds', 0) / 3600:g} h, else {glass.get('on_expiry', '?')}"


def _ways_round(found: EnvironmentBody) -> list[str]:
    """What happens beside the pipeline's road, in words."""
    lines = ["what was signed off is put back where something else runs"] if found.self_heal else []
    return [*lines, f"glass broken by {_glass(found.break_glass)}"] if found.break_glass else lines


def _demands(found: EnvironmentBody) -> list[str]:
    """What must hold before something is deployed there, in words."""
    rules = [
        f"{rule.get('required_approvals', 1)} of {', '.join(rule.get('approvers', ()))} ({rule.get('name', 'rule')})"
        for rule in found.rules
    ]
    if found.require.get("measured"):
        rules.append("measured metrics")
    if found.require.get("checks_passed"):
        rules.append("every check passed")
    if found.require.get("from"):
        rules.append(f"the same bytes in {found.require['from']} before")
    if found.step_up:
        rules.append("approvals confirmed by a passkey")
    if found.chat_approval:
        rules.append("approvals may come from a chat")
    if found.max_age_seconds:
        rules.append(f"an approval no older than {span(timedelta(seconds=found.max_age_seconds))}")
    return rules
