"""What applying environments changes, in words: for who applies them, for the audit log and for the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from signoff.domain.environment import BreakGlass, Environment, Freeze
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
            lines += [f"{name}: {change}" for change in _changes(Environment(name, after.deployer), after)]
        else:
            lines += [f"{name}: {change}" for change in _changes(before, after)]
    return tuple(lines)


def _changes(before: Environment, after: Environment) -> Iterator[str]:
    if before.deployer.type != after.deployer.type:
        yield f"is deployed by {after.deployer.type} instead of {before.deployer.type}"
    if before.deployer.alias != after.deployer.alias:
        yield f"moves the alias {after.deployer.alias} instead of {before.deployer.alias}"
    if before.deployer.health_timeout != after.deployer.health_timeout:
        was, now = before.deployer.health_timeout, after.deployer.health_timeout
        yield f"a new version has {span(now)} instead of {span(was)} to get healthy"
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
    if before.break_glass != after.break_glass:
        yield _glass(after.break_glass)


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
