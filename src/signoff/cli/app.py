"""The `signoff` command: finds what was typed, runs it, and ends with the status that scripts rely on.

Starts fast because it does little: the overview, the version and a mistyped name are answered from `commands`, and
cyclopts is imported only to parse the one command that was typed, whose module is imported then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from signoff import __version__
from signoff.cli.commands import COMMANDS, GROUPS, LATER

if TYPE_CHECKING:
    from cyclopts import App

_WRONG_CALL = 2
_HELP = frozenset({"-h", "--help", "help"})
_SWITCHES = frozenset({"--json", "-q", "--quiet"})
_WITH_VALUE = frozenset({"--server", "--token", "--as"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own); the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a tick is no reason to fail
    words = _options_last(list(sys.argv[1:] if argv is None else argv))
    try:
        status = _answer(words)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
        return 0
    return status


def _answer(words: list[str]) -> int:
    if len(words) > 1 and words[0] == "help":
        words = [*words[1:], "--help"]
    if not words or words[0] in _HELP:
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"signoff {__version__}")
        return 0
    for name in (" ".join(words[:2]), words[0]):
        if name in LATER:
            return _complain(f"`signoff {name}` is not available yet.", LATER[name])
    if words[0] not in COMMANDS:
        return _unknown(words[0])
    return _run(words)


def _run(words: list[str]) -> int:
    from cyclopts import CycloptsError
    from cyclopts.exceptions import MissingArgumentError

    from signoff.domain.errors import SignoffError

    try:
        done = build()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        said = " ".join(str(error).split())
        if isinstance(error, MissingArgumentError) and error.argument is not None and not error.argument.tokens:
            said = f"`signoff {' '.join(error.command_chain or words[:1])}` needs {error.argument.name}."
            said = f"{error.keyword} needs a value." if error.keyword else said
        return _complain(said, f"`signoff {words[0]} --help` shows how it is called.")
    except SignoffError as error:
        from signoff.cli.exits import exit_of
        from signoff.cli.screen import show_error

        show_error(error, as_json="--json" in words)
        return exit_of(error)
    except KeyboardInterrupt:
        from signoff.cli.exits import INTERRUPTED

        return INTERRUPTED
    return done if isinstance(done, int) else 0


def build() -> App:
    """The cyclopts application with every command, none of them imported yet."""
    from cyclopts import App, Parameter

    app = App(
        name="signoff",
        help="Pull-request review for machine-learning models.",
        version=f"signoff {__version__}",
        default_parameter=Parameter(negative=(), show_default=False),
        help_format="plaintext",
    )
    for command in COMMANDS.values():
        app.command(f"signoff.cli.{command.target}", name=command.name)
    return app


def overview() -> str:
    """What `signoff --help` prints."""
    width = max(map(len, COMMANDS)) + 2
    lines = ["Usage: signoff COMMAND ...", "", "Pull-request review for machine-learning models."]
    for heading, commands in GROUPS:
        lines += ["", f"{heading}:", *(f"  {command.name:<{width}}{command.summary}" for command in commands)]
    lines += [
        "",
        "Everywhere: --json, -q, --server URL, --token TOKEN, --as NAME. `signoff COMMAND --help` tells the rest.",
    ]
    return "\n".join(lines)


def _options_last(words: list[str]) -> list[str]:
    """`signoff --as bob approve X` as `signoff approve X --as bob`."""
    moved: list[str] = []
    while words and words[0].startswith("-"):
        name, equals, _ = words[0].partition("=")
        count = 2 if name in _WITH_VALUE and not equals else 1
        if name not in _SWITCHES | _WITH_VALUE or len(words) < count:
            break
        moved += words[:count]
        words = words[count:]
    return words + moved


def _unknown(word: str) -> int:
    from difflib import get_close_matches

    kind = "an option" if word.startswith("-") else "a command"
    if word in _WITH_VALUE:
        return _complain(f"{word} needs a value.", "`signoff --help` lists the commands.")
    near = get_close_matches(word, [*COMMANDS, *LATER], n=1)
    hint = f"Did you mean `signoff {near[0]}`?" if near else "`signoff --help` lists the commands."
    return _complain(f"{word!r} is not {kind} of signoff.", hint)


def _complain(what: str, hint: str) -> int:
    from signoff.cli.screen import complain

    complain(what, hint)
    return _WRONG_CALL


if __name__ == "__main__":
    sys.exit(main())
