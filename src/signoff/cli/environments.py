"""`signoff environment list` and `show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table

if TYPE_CHECKING:
    from signoff.wire.catalogue import EnvironmentBody

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
            safe("; ".join(_demands(item)) or "nothing beyond the pipeline's own rules"),
        ]
        for item in found.items
    ]
    screen.say(table(["environment", "deployer", "live", "demands"], rows, cut="demands"))
    return Exit.DONE


@app.command
def show(name: str, /, *, common: Common = NOTHING) -> int:
    """One environment: what it demands, and what is live in it."""
    from signoff.cli.words import ago, deployed, sign

    screen = Screen(common)
    with connect(common) as client:
        found = client.get_environment(name)
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    details = ", ".join(f"{key} {value}" for key, value in found.deployer.items() if key != "type")
    screen.say(f"[bold]{safe(found.name)}[/]  deployed by {safe(found.deployer.get('type', '?'))} ({safe(details)})")
    for demand in _demands(found) or ["nothing beyond the pipeline's own rules"]:
        screen.say(f"  demands {safe(demand)}")
    if found.accept_claimed:
        screen.say("  accepts claimed metrics")
    if found.promote_to:
        screen.say(f"  promotes to {safe(found.promote_to)}")
    for live in found.live:
        at = f" at {safe(live.address)}" if live.address else ""
        since = f" [dim]since {ago(live.live_at)}, run {safe(live.run_id)}[/]" if live.live_at else ""
        screen.say(f"  {sign('live')} {deployed(live)} is live{at}{since}")
    return Exit.DONE


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
    if found.max_age_seconds:
        rules.append(f"an approval no older than {found.max_age_seconds / 3600:g} h")
    return rules
