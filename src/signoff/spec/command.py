"""The command of a training or test step: argv without a shell, its Python, params, timeout and retries."""

from __future__ import annotations

import math
import re
import shlex

from signoff.domain.pipeline import Command, ParamValue
from signoff.spec import deferred
from signoff.spec.fields import Fields, kind_of
from signoff.spec.problem import said
from signoff.spec.tree import Items, Node, Scalar

KEYS = ("run", "python", "params", "timeout", "retries", "runner")
MOST_RETRIES = 10
PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_EXAMPLE = "write run: python train.py"
_SHELL_WORDS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1"})


def read_command(fields: Fields) -> Command | None:
    """The command that `run` and its companions describe; None where there is no `run`, or it could not be read."""
    node = fields.node("run")
    argv = None if node is None else read_argv(fields, node, "run", _EXAMPLE)
    python = fields.text("python")
    params = _read_params(fields)
    timeout = fields.duration("timeout")
    retries = fields.whole("retries", default=0, least=0, most=MOST_RETRIES)
    runner = fields.word("runner", ["local", "ray", "kubernetes"])
    if runner is not None and runner != "local":
        deferred.refuse(fields, "runner", fields.table.entries["runner"].value, value=runner, hint="write local")
    if node is None:
        for key in KEYS[1:]:
            entry = fields.table.entries.get(key)
            if entry is not None:
                message = f"{key} means nothing without run"
                fields.problems.error(entry.key.place, message, "add run: python train.py, or take it out")
        return None
    return None if argv is None else Command(argv, python, params, timeout, retries)


def read_argv(fields: Fields, node: Node, name: str, example: str) -> tuple[str, ...] | None:
    """The words of the command that `node`, called `name`, is: a list, or a text that is split without a shell."""
    if isinstance(node, Items):
        words = [_argument(fields, item, name) for item in node.items]
        argv = [word for word in words if word is not None]
        if len(argv) < len(words):
            return None
        return _sound(fields, node, argv, name, example)
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        message = f"{name} must be a command or a list of its words, not {kind_of(node)}"
        fields.error(node, message, example, code="type")
        return None
    try:
        has_quotes = any(sign in node.value for sign in "\"'\\")
        argv = shlex.split(node.value) if has_quotes else node.value.split()
    except ValueError:
        fields.error(node, f"{name} has a quote that is not closed", "close it, or write a list: [python, train.py]")
        return None
    shell = next((word for word in argv if word in _SHELL_WORDS), None)
    if shell is not None:
        message = f"{said(shell)} is handed to the program as a word: {name} is not given to a shell"
        fields.problems.warn(node.place, message, "put the commands into a script and run that")
    return _sound(fields, node, argv, name, example)


def _sound(fields: Fields, node: Node, argv: list[str], name: str, example: str) -> tuple[str, ...] | None:
    """`argv` if its first word can name a program."""
    if argv and argv[0].strip():
        return tuple(argv)
    message = f"{name} must not be empty" if not argv else f"the first word of {name} must name a program"
    fields.error(node, message, example)
    return None


def _argument(fields: Fields, node: Node, name: str) -> str | None:
    """One word of an argv; numbers are taken as they are written."""
    if isinstance(node, Scalar) and node.value is not None:
        return node.text
    fields.error(node, f"each word of {name} must be a text, not {kind_of(node)}", "put quotes around it", code="type")
    return None


def _read_params(fields: Fields) -> dict[str, ParamValue]:
    table = fields.table_of("params", may_be_empty=True)
    params: dict[str, ParamValue] = {}
    variables: dict[str, str] = {}
    for key, entry in table.entries.items() if table is not None else ():
        if not PARAM.fullmatch(key):
            message = f"{said(key)} is not a name for a param"
            fields.error(entry.key, message, "use letters, digits and _, not starting with a digit")
            continue
        other = variables.setdefault(key.upper(), key)
        if other != key:
            message = f"params {other} and {key} are one variable, SIGNOFF_PARAM_{key.upper()}"
            fields.error(entry.key, message, "rename one of them", code="duplicate")
            continue
        value = entry.value.value if isinstance(entry.value, Scalar) else None
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            message = f"param {key} must be a text, a finite number, true or false, not {kind_of(entry.value)}"
            fields.error(entry.value, message, "files can hold the rest", code="type")
            continue
        params[key] = value
    return params
