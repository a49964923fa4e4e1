"""What applying environments changes, in words: for who applies them, for the audit log and for the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from signoff.domain.deployer import CommandSpec, SecretReference, WebhookSpec
from signoff.domain.environment import BreakGlass, DeployerSpec, Environment, Freeze
from signoff.domain.pipeline import RuleSpec
from signoff.domain.span import span


def describe_changes(former: Mapping[str, Environment], following: Mapping[str, Environment]) -> tuple[str, ...]:
    """A line for each thing that is another in `following` than in `former`, by environment; none when nothing is."""
    lines: list[str] = []
    for name in sorted(former.keys() | following.keys()):
        before, after = former.get(name), following.get(name)
        if after is None:
            lines.append(f"{name} is removed")
        elif before is None:
            lines.append(f"{name} is new")
            bare = replace(after.deployer, command=None, webhook=None)
            lines += [f"{name}: {change}" for change in _changes(Environment(name, bare), after)]
        else:
            lines += [f"{name}: {change}" for change in _changes(before, after)]
    return tuple(lines)


def _changes(before: Environment, after: Environment) -> Iterator[str]:
    yield from _deployer(before.deployer, after.deployer)
    yield from _rules(before.rules, after.rules)
    yield from _requirements(before, after)
    if before.accept_claimed != after.accept_claimed:
        yield f"automatic approval {_may(after.accept_claimed)} read claimed metrics"
    if before.promote_to != after.promote_to:
        yield f"promotes to {after.promote_to or 'nowhere'} instead of {before.promote_to or 'nowhere'}"
    yield from (f"is frozen {_window(window)}" for window in after.freeze if window not in before.freeze)
    yield from (f"is no longer frozen {_window(window)}" for window in before.freeze if window not in after.freeze)
    if before.step_up != after.step_up:
        yield f"an approval {'now counts only when' if after.step_up else 'no longer has to be'} confirmed by a passkey"
    if before.chat_approval != after.chat_approval:
        yield f"an approval {_may(after.chat_approval)} be given in a chat"
    if before.self_heal != after.self_heal:
        yield f"what was signed off {'is' if after.self_heal else 'is no longer'} put back where something else runs"
    if before.break_glass != after.break_glass:
        yield _glass(after.break_glass)


def _deployer(before: DeployerSpec, after: DeployerSpec) -> Iterator[str]:
    if before.type != after.type:
        yield f"is deployed by {after.type} instead of {before.type}"
    if before.alias != after.alias:
        yield f"moves the alias {after.alias} instead of {before.alias}"
    if before.health_timeout != after.health_timeout:
        was, now = before.health_timeout, after.health_timeout
        yield f"a new version has {span(now)} instead of {span(was)} to get healthy"
    if after.command is not None:
        yield from _command(before.command, after.command)
    if after.webhook is not None:
        yield from _webhook(before.webhook, after.webhook)


def _command(before: CommandSpec | None, after: CommandSpec) -> Iterator[str]:
    """Values of variables stay unsaid: whoever reads the history need not know them."""
    was = before or CommandSpec(())
    for what, had, has in (
        ("deploys", was.run, after.run),
        ("goes back", was.rollback, after.rollback),
        ("asks for health", was.health, after.health),
    ):
        if had != has:
            yield f"{what} by {_line(has)}{f' instead of {_line(had)}' if before else ''}"
    if was.env != after.env:
        names = sorted(name for name in {*was.env, *after.env} if was.env.get(name) != after.env.get(name))
        yield f"gives the command another {', '.join(names)}"
    if was.secrets != after.secrets:
        yield f"takes {_secrets(after.secrets)}"
    if was.timeout != after.timeout:
        yield f"a deployment may take {span(after.timeout)} instead of {span(was.timeout)}"


def _line(words: tuple[str, ...]) -> str:
    return f"`{' '.join(words)}`" if words else "nothing"


def _secrets(secrets: Mapping[str, SecretReference]) -> str:
    return ", ".join(f"{name} from {found.where}" for name, found in sorted(secrets.items())) or "no secret"


def _webhook(before: WebhookSpec | None, after: WebhookSpec) -> Iterator[str]:
    """Of an address only what may be shown of it."""
    if before is None or before.shown_url != after.shown_url:
        yield f"asks {after.shown_url}{f' instead of {before.shown_url}' if before else ''}"
    elif before.url != after.url:
        yield f"asks another address of {after.shown_url}"
    if before is None or before.secret != after.secret:
        yield f"signs with the secret in {after.secret.where}"
    was = before or WebhookSpec(after.url, after.secret)
    if was.health_url != after.health_url:
        yield f"{'asks another address' if after.health_url else 'no longer asks'} for health"
    if was.timeout != after.timeout:
        yield f"a deployment may take {span(after.timeout)} instead of {span(was.timeout)}"


def _rules(before: tuple[RuleSpec, ...], after: tuple[RuleSpec, ...]) -> Iterator[str]:
    were, are = {rule.name: rule for rule in before}, {rule.name: rule for rule in after}
    for name, rule in are.items():
        was = were.get(name)
        if was is None:
            policy = "; a policy's approval counts" if rule.allow_policy else ""
            yield f"rule {name} is new and asks for {rule.required_approvals} of {', '.join(rule.approvers)}{policy}"
            continue
        if was.required_approvals != rule.required_approvals:
            yield f"rule {name} now asks for {rule.required_approvals} instead of {was.required_approvals}"
        if was.approvers != rule.approvers:
            yield f"rule {name} now counts {', '.join(rule.approvers)} instead of {', '.join(was.approvers)}"
        if was.allow_policy != rule.allow_policy:
            yield f"a policy's approval {'now counts' if rule.allow_policy else 'no longer counts'} for rule {name}"
    yield from (f"rule {name} is gone" for name in were if name not in are)


def _requirements(before: Environment, after: Environment) -> Iterator[str]:
    was, now = before.require, after.require
    for had, has, what in (
        (was.measured, now.measured, "measured metrics"),
        (was.checks_passed, now.checks_passed, "every check to pass"),
    ):
        if had != has:
            yield f"{'now requires' if has else 'no longer requires'} {what}"
    if was.came_from != now.came_from:
        if now.came_from is None:
            yield f"no longer asks that the same bytes were deployed to {was.came_from} first"
        else:
            instead = f" instead of {was.came_from}" if was.came_from else ""
            yield f"now takes only what was deployed to {now.came_from} first{instead}"
    if before.max_age != after.max_age:
        instead = f" instead of {span(before.max_age)}" if before.max_age else ""
        yield (
            f"an approval may be {span(after.max_age)} old{instead}"
            if after.max_age
            else (f"an approval may be of any age{instead}")
        )


def _may(is_allowed: bool) -> str:
    return "may now" if is_allowed else "may no longer"


def _window(window: Freeze) -> str:
    return f"from {window.since:%Y-%m-%d %H:%M} UTC until {window.end}, {window.reason}"


def _glass(glass: BreakGlass | None) -> str:
    if glass is None:
        return "nobody may break the glass any more"
    who = f"{glass.required_approvals} of {', '.join(glass.approvers)}"
    return f"the glass may be broken by {who}; reviewed within {span(glass.expires)}, else {glass.on_expiry}"
