"""`signoff init` and `signoff validate`: what one does with a pipeline folder before there is any server."""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common
from signoff.cli.screen import Screen, clean
from signoff.domain.errors import ConflictError, InvalidError, SignoffError

if TYPE_CHECKING:
    from signoff.spec.pipeline import Reading

DEFAULT_FILE = "signoff.yaml"
_PERSON = re.compile(r"[A-Za-z0-9._@-]+")


def init(
    folder: Annotated[Path, Parameter(name="DIR", help="Made if need be. Default: this folder.")] = Path(),
    /,
    *,
    common: Common = NOTHING,
) -> int:
    """Write a working pipeline folder: signoff.yaml, train.py, evaluate.py and a README. Overwrites nothing."""
    template = Path(__file__).parent / "template"
    sources = sorted(path for path in template.iterdir() if path.is_file())
    taken = [source.name for source in sources if (folder / source.name).exists()]
    if taken:
        raise ConflictError(
            f"{', '.join(taken)} {'is' if len(taken) == 1 else 'are'} already in {folder.resolve()}.",
            "Choose another folder: `signoff init DIR`.",
        )
    person = _person()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            text = source.read_text(encoding="utf-8").replace("{person}", person)
            (folder / source.name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidError(f"{folder} cannot be written: {error.strerror}.", "Choose another folder.") from error
    screen = Screen(common)
    if screen.is_json:
        screen.document({"folder": str(folder.resolve()), "files": [source.name for source in sources]})
        return Exit.DONE
    screen.say(f"Wrote {', '.join(source.name for source in sources)} to {clean(str(folder.resolve()))}.")
    inside = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    screen.say(f"Next: `{inside}signoff run` (with `signoff up` in another terminal). The approver is {person}.")
    return Exit.DONE


def validate(
    files: Annotated[list[Path] | None, Parameter(name="FILE", help="Default: ./signoff.yaml.")] = None,
    /,
    *,
    schema: Annotated[bool, Parameter(help="Print the JSON Schema for editors instead.")] = False,
    online: Annotated[bool, Parameter(help="Fail when no server answers, instead of checking without one.")] = False,
    offline: Annotated[bool, Parameter(help="Do not ask the server.")] = False,
    common: Common = NOTHING,
) -> int:
    """Check pipeline files: every error with line, column, caret and a hint.

    Where a server is known here, it is asked whether its people and environments could satisfy every rule.
    """
    if online and offline:
        raise InvalidError("Both --online and --offline were given.", "Give one of them.")
    screen = Screen(common)
    if schema:
        from signoff.spec.schema import pipeline_schema

        screen.document(pipeline_schema())
        return Exit.DONE
    problems: list[dict[str, Any]] = []
    must = online or common.server is not None
    asks = must or (not offline and _knows_a_server())
    for file in files or [Path(DEFAULT_FILE)]:
        text, reading = read_file(file)
        found = [problem.as_json() for problem in reading.problems]
        shown = "\n".join(problem.text() for problem in reading.problems)
        if asks and reading.pipeline is not None:
            try:
                found, shown = _ask_server(common, file, text)
            except SignoffError as error:
                if must:
                    raise
                asks = False
                screen.note(f"Checked without the server, so whether its people can approve is not known: {error.what}")
        problems += found
        if not screen.is_json:
            _tell(screen, file, reading, shown, is_good=not any(problem["severity"] == "error" for problem in found))
    is_valid = not any(problem["severity"] == "error" for problem in problems)
    if screen.is_json:
        screen.document({"is_valid": is_valid, "problems": problems})
    return Exit.DONE if is_valid else Exit.WRONG_CALL


def read_file(file: Path) -> tuple[str, Reading]:
    """The text of a pipeline file and what reading it gave.

    Raises:
        InvalidError: there is no such file.
    """
    from signoff.spec.pipeline import read_pipeline

    path = file / DEFAULT_FILE if file.is_dir() else file
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = "Name the pipeline file, or write one with `signoff init`."
        if isinstance(error, FileNotFoundError):
            raise InvalidError(f"There is no file {path}.", hint) from error
        raise InvalidError(f"{path} cannot be read: {error.strerror}.", hint) from error
    reading = read_pipeline(content, filename=str(path), folder_name=path.resolve().parent.name or None)
    return content.decode("utf-8", errors="replace"), reading


def _tell(screen: Screen, file: Path, reading: Reading, shown: str, *, is_good: bool) -> None:
    """The problems, or that there are none, and what would happen."""
    if shown:
        print(shown)
    if is_good and reading.pipeline is not None and not screen.is_quiet:
        steps = " -> ".join(step.name for step in reading.pipeline.steps)
        print(f"{file}: {'good, with warnings' if shown else 'good'}: {steps}")


def _ask_server(common: Common, file: Path, text: str) -> tuple[list[dict[str, Any]], str]:
    from signoff.cli.options import connect
    from signoff.wire.runs import ValidateRequest

    with connect(common) as client:
        request = ValidateRequest(pipeline=text, filename=str(file), folder_name=file.resolve().parent.name or None)
        answer = client.validate(request)
    return [problem.model_dump(mode="json") for problem in answer.problems], answer.text


def _knows_a_server() -> bool:
    """Whether this machine has a server, or was told of one."""
    from signoff.sdk.locate import read_home

    try:
        return bool(os.environ.get("SIGNOFF_SERVER") or read_home().url)
    except (SignoffError, OSError):
        return False


def _person() -> str:
    """Whom the template names as approver: who is signed in here, else who the system says it is."""
    from signoff.sdk.locate import read_home

    try:
        person = read_home().person or getpass.getuser()
    except (OSError, KeyError):
        person = "alice"
    return person if _PERSON.fullmatch(person) else "alice"
