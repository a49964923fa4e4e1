"""The `deployer` of an environment: which kind, and what a command or a webhook of the administrator's needs."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

from signoff.domain.deployer import DEFAULT_TIMEOUT, CommandSpec, SecretReference, WebhookSpec
from signoff.domain.environment import DeployerSpec
from signoff.spec import deferred
from signoff.spec.command import read_argv
from signoff.spec.fields import Fields, kind_of
from signoff.spec.problem import said
from signoff.spec.tree import Node, Scalar, Table

_ALIAS = re.compile(r"(?!latest$)(?!v[0-9]+$)[A-Za-z0-9_-]{1,128}", re.IGNORECASE)
_ALIAS_HINT = "use letters, digits, _ and -; latest and v1, v2, ... are the registry's own"
_KINDS = ["alias", "server", "command", "webhook"]
_LATER = ["kubernetes", "sagemaker"]
_OF_KIND = {
    **dict.fromkeys(("run", "rollback", "env", "secrets"), "command"),
    **dict.fromkeys(("url", "secret"), "webhook"),
    "timeout": "command or webhook",
}
_MISTAKES = {
    **dict.fromkeys(("kind",), "type"),
    **dict.fromkeys(("command", "cmd", "script", "exec", "args"), "run"),
    **dict.fromkeys(("undo", "on_fail", "on_failure"), "rollback"),
    **dict.fromkeys(("environment", "variables"), "env"),
    **dict.fromkeys(("address", "endpoint"), "url"),
    **dict.fromkeys(("health_check", "healthcheck", "check", "health_url"), "health"),
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_VARIABLE_HINT = "use letters, digits and _, not starting with a digit"
_OURS = "SIGNOFF_"
_EXAMPLE = "write run: [/etc/signoff/deploy.sh]"
_REQUIRED = {
    "command": {"run": "add run: [/etc/signoff/deploy.sh]"},
    "webhook": {
        "url": "add url: https://deployer.example.com/deploy",
        "secret": "add secret: {file: /run/secrets/deploy-webhook}",
    },
}
_PLACES = "write {file: /run/secrets/name} or {env: NAME}"
_TELLTALE = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY$", re.IGNORECASE)
_MOST_VARIABLES = 100
_LONGEST_URL = 2000


def read_deployer(fields: Fields, default: DeployerSpec) -> DeployerSpec:
    """The deployer that the environment of `fields` names; `default` where it names none."""
    table = fields.table_of("deployer")
    if table is None:
        return default
    inner = Fields(table, f"the deployer of {fields.where}", fields.problems)
    kind = inner.word("type", [*_KINDS, *_LATER])
    if kind in _LATER:
        hint = "write command: the how-to guides deploy to both by it"
        deferred.refuse(inner, "deployer type", table.entries["type"].value, value=kind or "", hint=hint)
    alias = inner.named("alias", _ALIAS, _ALIAS_HINT) or default.alias
    replicas = inner.whole("replicas", default=1, least=1, most=1000)
    if replicas != 1:
        node = table.entries["replicas"].value
        deferred.refuse(inner, "replicas", node, value=str(replicas), hint="write 1, or take it out")
    health = _Health(inner, kind)
    command = _read_command(inner, health) if kind == "command" else None
    webhook = _read_webhook(inner, health) if kind == "webhook" else None
    is_guess = kind not in _KINDS
    inner.close(_MISTAKES, lambda key: None if is_guess else _elsewhere(key))
    inner.require("type", "add type: alias or type: server")
    for key, hint in _REQUIRED.get(kind or "", {}).items():
        inner.require(key, hint)
    timeout = health.timeout or default.health_timeout
    match kind:
        case "command" if command is not None:
            return DeployerSpec("command", alias, timeout, command=command)
        case "webhook" if webhook is not None:
            return DeployerSpec("webhook", alias, timeout, webhook=webhook)
        case "server":
            return DeployerSpec("server", alias, timeout)
        case _:
            return DeployerSpec("alias", alias, timeout)


def _elsewhere(key: str) -> str | None:
    return f"{key} belongs to a deployer of type {_OF_KIND[key]}" if key in _OF_KIND else None


class _Health:
    """What stands under `health`: how long, and what a command or webhook asks."""

    def __init__(self, fields: Fields, kind: str | None) -> None:
        self.run: tuple[str, ...] = ()
        self.url: str | None = None
        self.timeout: timedelta | None = None
        table = fields.table_of("health")
        if table is None:
            return
        inner = Fields(table, "health", fields.problems)
        self.timeout = inner.duration("timeout")
        if kind == "command":
            self.run = _read_words(inner, "run") or ()
        if kind == "webhook":
            self.url = _read_url(inner, "url")
        inner.close({"command": "run", "address": "url"})
        if kind == "command":
            inner.require("run", "add run: [/etc/signoff/health.sh], or take health out")
        if kind == "webhook":
            inner.require("url", "add url: https://..., or take health out")


def _read_command(fields: Fields, health: _Health) -> CommandSpec | None:
    run = _read_words(fields, "run")
    rollback = _read_words(fields, "rollback") or ()
    env = _read_env(fields)
    secrets = _read_secrets(fields, env)
    timeout = fields.duration("timeout") or DEFAULT_TIMEOUT
    return None if run is None else CommandSpec(run, rollback, health.run, env, secrets, timeout)


def _read_words(fields: Fields, key: str) -> tuple[str, ...] | None:
    """The words of a command that starts in an empty folder, where nothing of a relative name is."""
    node = fields.filled(key)
    argv = None if node is None else read_argv(fields, node, key, _EXAMPLE.replace("run:", f"{key}:"))
    if node is None or argv is None:
        return None
    if "/" in argv[0] and not argv[0].startswith("/"):
        fields.error(node, f"{key} starts in an empty folder, where {said(argv[0])} is not", "write its whole path")
        return None
    for word in argv:
        if word.endswith((".py", ".sh")) and "/" not in word and word != argv[0]:
            message = f"{key} starts in an empty folder, where {said(word)} is not"
            fields.problems.warn(node.place, message, "write its whole path")
    return argv


def _read_env(fields: Fields) -> dict[str, str]:
    env: dict[str, str] = {}
    for name, node in _variables(fields, "env"):
        if not isinstance(node, Scalar) or node.value is None:
            fields.error(node, f"{name} must be a text, not {kind_of(node)}", "put quotes around it", code="type")
            continue
        if _TELLTALE.search(name) and not node.text.startswith("/"):
            message = f"{name} stands in the file for everybody who reads it"
            fields.problems.warn(node.place, message, f"if it is a secret, say under secrets where it is: {name}: ...")
        env[name] = node.text
    return env


def _read_secrets(fields: Fields, env: dict[str, str]) -> dict[str, SecretReference]:
    secrets: dict[str, SecretReference] = {}
    for name, node in _variables(fields, "secrets"):
        if name in env:
            fields.error(node, f"{name} stands under env as well", "take one out", code="duplicate")
            continue
        found = _read_reference(fields, node, name)
        if found is not None:
            secrets[name] = found
    return secrets


def _variables(fields: Fields, key: str) -> list[tuple[str, Node]]:
    """The entries of a mapping whose keys can name variables of a command."""
    table = fields.table_of(key, may_be_empty=True)
    found: list[tuple[str, Node]] = []
    for name, entry in table.entries.items() if table is not None else ():
        if len(found) == _MOST_VARIABLES:
            fields.error(entry.key, f"{key} must hold at most {_MOST_VARIABLES}", code="range")
            break
        if not _VARIABLE.fullmatch(name):
            fields.error(entry.key, f"{said(name)} is not a name for a variable", _VARIABLE_HINT)
        elif name.upper().startswith(_OURS):
            fields.error(entry.key, f"{name}: names that begin with {_OURS} are signoff's own", "choose another name")
        else:
            found.append((name, entry.value))
    return found


def _read_reference(fields: Fields, node: Node, name: str) -> SecretReference | None:
    """Where the secret `name` is; what it is does not belong into the file."""
    if not isinstance(node, Table):
        message = f"{name} must say where the secret is, never what it is"
        fields.error(node, message, _PLACES, code="type")
        return None
    inner = Fields(node, name, fields.problems)
    file, env = inner.text("file"), inner.named("env", _VARIABLE, _VARIABLE_HINT)
    is_there = "file" in inner or "env" in inner
    if "file" in inner and "env" in inner:
        fields.error(node, f"{name} says file and env", "take one out", code="duplicate")
        return None
    inner.close({"path": "file", "variable": "env", "value": "file"})
    if not is_there:
        inner.require("file", _PLACES)
        return None
    if file is not None and not file.startswith("/"):
        fields.error(node.entries["file"].value, f"file of {name} must be a whole path", "begin it with /")
        return None
    if env is not None and env.upper().startswith(_OURS):
        message = f"{env} is a setting of signoff's own, which no deployer gets"
        fields.error(node.entries["env"].value, message, "give the worker another variable")
        return None
    return SecretReference(file, env) if file or env else None


def _read_webhook(fields: Fields, health: _Health) -> WebhookSpec | None:
    url = _read_url(fields, "url")
    node = fields.filled("secret")
    secret = None if node is None else _read_reference(fields, node, "secret")
    timeout = fields.duration("timeout") or DEFAULT_TIMEOUT
    return None if url is None or secret is None else WebhookSpec(url, secret, health.url, timeout)


def _read_url(fields: Fields, key: str) -> str | None:
    url = fields.text(key)
    if url is None:
        return None
    node = fields.table.entries[key].value
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    is_sane = host is not None and len(url) <= _LONGEST_URL and url.isascii() and url.isprintable() and " " not in url
    if not is_sane or parts.scheme not in {"http", "https"}:
        fields.error(node, f"{key} is no address that signoff can ask", "write https://host/path")
        return None
    if "@" in parts.netloc:
        fields.error(node, f"{key} holds a user name or password", "take it out: requests are signed")
        return None
    return url
