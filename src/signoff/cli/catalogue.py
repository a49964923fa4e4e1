"""`signoff models`, `deployments` and `whoami`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.screen import Screen, safe
from signoff.cli.table import table

if TYPE_CHECKING:
    from signoff.wire.drift import DriftBody
    from signoff.wire.emergencies import EmergencyViewBody
    from signoff.wire.runs import DeploymentBody


def models(
    name: Annotated[str | None, Parameter(help="One model, with all its versions. Default: every model.")] = None,
    /,
    *,
    common: Common = NOTHING,
) -> int:
    """Models, their versions, and what is live where."""
    from signoff.cli.words import age, sign, standing, status

    screen = Screen(common)
    with connect(common) as client:
        if name is not None:
            found = [client.get_model(name)]
            if screen.is_json:
                screen.document(found[0])
                return Exit.DONE
        else:
            page = client.list_models()
            found = page.items
            if screen.is_json:
                screen.document(page)
                return Exit.DONE
    if not found:
        screen.say("No models yet: `signoff run` or `signoff submit` brings the first.")
        return Exit.DONE
    if screen.is_quiet:
        for model in found:
            screen.essential(model.name)
        return Exit.DONE
    rows = [
        [
            f"[bold]{safe(model.name)}[/]" if position == 0 else "",
            f"v{safe(version.version)}",
            f"{sign(standing(version))} {status(standing(version))}",
            safe(", ".join(version.live_in)),
            safe(version.run_id),
            safe(version.submitter),
            age(version.created_at),
        ]
        for model in found
        for position, version in enumerate(model.versions)
    ]
    headings = ["model", "version", "status", "live in", "run", "by", "age"]
    screen.say(table(headings, rows, least=["by", "age", "run"], cut="model"))
    _warn(screen, [deployment for model in found for deployment in model.deployments])
    for drift in (one.drift for model in found for one in model.deployments if one.drift):
        screen.say(f"[bold red]![/] {safe(drift)}")
    return Exit.DONE


def deployments(
    environment: Annotated[str | None, Parameter(help="Only this environment.")] = None,
    /,
    *,
    model: Annotated[str | None, Parameter(help="Only this model.")] = None,
    common: Common = NOTHING,
) -> int:
    """What was put where, newest first."""
    from signoff.cli.words import age, deployed, kind, owed, sign, status

    screen = Screen(common)
    with connect(common) as client:
        found = client.list_deployments(environment=environment, model=model)
        waiting = [] if screen.is_json else [one for one in client.list_emergencies().items if one.sentence]
        drifts = [] if screen.is_json else client.list_drifts(environment=environment, model=model).items
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    if not found.items:
        screen.say("Nothing was deployed yet.")
        _tell_drifts(screen, drifts)
        return Exit.DONE
    rows = [
        [
            safe(item.environment),
            f"[bold]{deployed(item)}[/]",
            f"{sign(item.status)} {status(item.status)}",
            kind(item),
            safe(item.run_id),
            safe(item.by),
            age(item.live_at or item.started_at),
            safe(item.address or ""),
            " ".join(filter(None, [owed(item.emergency) if item.emergency else "", safe(item.note)])),
        ]
        for item in found.items
    ]
    headings = ["environment", "version", "status", "kind", "run", "by", "age", "address", "note"]
    screen.say(table(headings, rows, least=["kind", "by", "note", "run", "address"], cut="note"))
    _warn(screen, found.items)
    _tell_drifts(screen, drifts)
    _tell_requests(screen, waiting)
    return Exit.DONE


def _warn(screen: Screen, found: Iterable[DeploymentBody]) -> None:
    """What everybody must know of what is live: approvals that were revoked, reviews that are owed."""
    for deployment in found:
        if deployment.warning:
            screen.say(f"[bold red]![/] {safe(deployment.warning)}")


def _tell_drifts(screen: Screen, drifts: Iterable[DriftBody]) -> None:
    """What runs, and is not what was signed off."""
    for one in drifts:
        screen.say(f"[bold red]![/] {safe(one.warning)}")


def _tell_requests(screen: Screen, waiting: Iterable[EmergencyViewBody]) -> None:
    """The emergency deployments that wait for somebody's word."""
    for one in waiting:
        what = f"{safe(one.requested_by)} wants {safe(one.model)} v{safe(one.version)} in {safe(one.environment)}"
        screen.say(f"[bold red]![/] {what} without review ({safe(one.why)}). {safe(one.sentence)}")
        place = f"{safe(one.environment)} models:/{safe(one.model)}/{safe(one.version)}"
        screen.say(f"  signoff deploy --break-glass {place} --confirm {safe(one.id)}")


def whoami(*, common: Common = NOTHING) -> int:
    """Who you are to the server, what you may do, by which means, and until when."""
    from signoff.cli.words import minute

    screen = Screen(common)
    with connect(common) as client:
        me = client.me()
    if screen.is_json:
        screen.document(me)
    elif screen.is_quiet:
        screen.essential(me.name)
    else:
        roles = ", ".join(me.roles) or "no role"
        groups = f", in {', '.join(me.groups)}" if me.groups else ""
        only = f" for {', '.join(me.models)}" if me.models and me.models != ["*"] else ""
        how = ", ".join(me.methods or me.scopes)
        by = f"{me.credential} ({how})" if how else me.credential
        screen.say(f"[bold]{safe(me.name)}[/] ({safe(roles)}{safe(only)}{safe(groups)}), by {safe(by)}")
        if me.expires_at is not None:
            screen.say(f"until {minute(me.expires_at)}")
        screen.say(f"[dim]at {safe(client.server)}, signoff {safe(me.version)}[/]")
    return Exit.DONE
