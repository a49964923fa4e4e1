"""`domain.Environment` -> `environments.yaml`: the present ones as a file, to be read, edited and applied again.

What `read_environments` reads comes out the same; a test holds the two together. Comments are not kept: who wants them
keeps the file beside the code and applies it by command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from signoff.domain.deployer import DEFAULT_TIMEOUT, CommandSpec, SecretReference, WebhookSpec
from signoff.domain.environment import LOCAL, BreakGlass, DeployerSpec, Environment, Freeze
from signoff.domain.pipeline import RuleSpec
from signoff.domain.span import span

_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def write_environments(environments: Mapping[str, Environment]) -> str:
    """The file that these environments are read from; `local` is in it where it is not as it is anyway."""
    named = [one for name, one in sorted(environments.items()) if name != LOCAL.name or one != LOCAL]
    if not named:
        return "environments: {}\n"
    lines = ["environments:"]
    for one in named:
        lines.append(f"  {_text(one.name)}:")
        lines += [f"    {line}" for line in _environment(one)]
    return "\n".join(lines) + "\n"


def _environment(one: Environment) -> Iterator[str]:
    yield from _deployer(one.deployer)
    if one.rules:
        yield "rules:"
        yield from (f"  - {_rule(rule)}" for rule in one.rules)
    require = {
        "measured": "true" if one.require.measured else None,
        "checks_passed": "true" if one.require.checks_passed else None,
        "from": _text(one.require.came_from) if one.require.came_from is not None else None,
    }
    if any(require.values()):
        yield f"require: {_flow(require)}"
    if one.max_age is not None:
        yield f"max_age: {span(one.max_age)}"
    if one.accept_claimed != (one.name == LOCAL.name and LOCAL.accept_claimed):
        yield f"accept_claimed: {_flag(one.accept_claimed)}"
    if one.promote_to is not None:
        yield f"promote_to: {_text(one.promote_to)}"
    if one.freeze:
        yield "freeze:"
        yield from (f"  - {_window(window)}" for window in one.freeze)
    if one.break_glass is not None:
        yield f"break_glass: {_glass(one.break_glass)}"
    if one.step_up is not None:
        yield f"step_up: {one.step_up}"
    yield from (f"{name}: true" for name in ("chat_approval", "self_heal") if getattr(one, name))


def _deployer(one: DeployerSpec) -> Iterator[str]:
    health = {"timeout": span(one.health_timeout) if one.health_timeout != DeployerSpec().health_timeout else None}
    if one.command is None and one.webhook is None:
        known = {"type": one.type, "alias": _text(one.alias), "health": _flow(health) if any(health.values()) else None}
        yield f"deployer: {_flow(known)}"
        return
    yield "deployer:"
    yield f"  type: {one.type}"
    yield f"  alias: {_text(one.alias)}"
    parts = _command(one.command, health) if one.command is not None else _webhook(one.webhook, health)
    yield from (f"  {line}" for line in parts)


def _command(one: CommandSpec, health: dict[str, str | None]) -> Iterator[str]:
    yield f"run: {_list(one.run)}"
    if one.rollback:
        yield f"rollback: {_list(one.rollback)}"
    if one.health:
        yield f"health: {_flow({'run': _list(one.health), **health})}"
    if one.env:
        yield "env:"
        yield from (f"  {_text(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in one.env.items())
    if one.secrets:
        yield "secrets:"
        yield from (f"  {_text(name)}: {_secret(found)}" for name, found in one.secrets.items())
    if one.timeout != DEFAULT_TIMEOUT:
        yield f"timeout: {span(one.timeout)}"


def _webhook(one: WebhookSpec | None, health: dict[str, str | None]) -> Iterator[str]:
    if one is None:
        return
    yield f"url: {_text(one.url)}"
    yield f"secret: {_secret(one.secret)}"
    if one.health_url is not None:
        yield f"health: {_flow({'url': _text(one.health_url), **health})}"
    if one.timeout != DEFAULT_TIMEOUT:
        yield f"timeout: {span(one.timeout)}"


def _secret(found: SecretReference) -> str:
    return _flow({key: _text(value) for key, value in (("file", found.file), ("env", found.env)) if value is not None})


def _rule(rule: RuleSpec) -> str:
    count = str(rule.required_approvals) if rule.required_approvals != 1 else None
    known = {"name": _text(rule.name), "approvers": _list(rule.approvers), "required_approvals": count}
    return _flow({**known, "allow_policy": "true" if rule.allow_policy else None})


def _window(window: Freeze) -> str:
    moments = {"from": _moment(window.since), "until": _moment(window.until)}
    return _flow({**moments, "reason": json.dumps(window.reason, ensure_ascii=False)})


def _glass(glass: BreakGlass) -> str:
    known = {"approvers": _list(glass.approvers), "required_approvals": str(glass.required_approvals)}
    return _flow({**known, "expires": span(glass.expires), "on_expiry": glass.on_expiry})


def _moment(moment: datetime) -> str:
    return f'"{moment:%Y-%m-%dT%H:%M:%SZ}"'


def _flow(values: Mapping[str, str | None]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items() if value is not None) + "}"


def _list(words: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, words)) + "]"


def _flag(is_so: bool) -> str:
    return "true" if is_so else "false"


def _text(words: str) -> str:
    """A text as YAML reads it back: bare where it can be nothing else, quoted as JSON does otherwise."""
    is_bare = _BARE.fullmatch(words) and words.lower() not in _WORDS_OF_YAML
    return words if is_bare else json.dumps(words, ensure_ascii=False)
