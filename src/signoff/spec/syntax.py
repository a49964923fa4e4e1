"""YAML's own errors in words that say what to do. Only `tree` needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from signoff.spec.problem import TOP, Place, Problems

if TYPE_CHECKING:
    from yaml import YAMLError

_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "a second ': ' on this line, or a wrong indentation",
        "indent it like its neighbours, or quote the text",
    ),
    (
        "did not find expected key",
        "wrong indentation: this line does not line up with the lines it belongs to",
        "indent it like its neighbours",
    ),
    (
        "did not find expected '-' indicator",
        "wrong indentation: this line does not line up with the lines it belongs to",
        "indent it like its neighbours; an item of a list starts with '- '",
    ),
    (
        "block sequence entries are not allowed",
        "a list cannot start here",
        "put '- ' on a line of its own",
    ),
    (
        "could not find expected ':'",
        "a key without ': '",
        "write key: value, and indent it like its neighbours",
    ),
    ("found unexpected ':'", "a ':' that belongs to nothing", "put a space after it, or quotes around the text"),
    ("found unexpected end of stream", "the file ends inside a quoted text", "close the quote"),
    ("did not find expected ',' or ']'", "a list that starts with [ is not closed", "close it with ]"),
    ("did not find expected ',' or '}'", "a mapping that starts with { is not closed", "close it with }"),
    ("did not find expected node content", "a value is missing here", "write one"),
    (
        "found character that cannot start any token",
        "a text cannot start with this character",
        "put quotes around the text",
    ),
    ("found unknown escape character", "an unknown escape inside double quotes", "use single quotes"),
    ("found unexpected document indicator", "a new document starts inside a quoted text", "close the quote"),
    ("did not find expected <document start>", "text after the end of the document", "indent it, or take it out"),
    ("found undefined tag handle", "tags (!...) are not taken", "take the tag out"),
    ("did not find expected tag URI", "tags (!...) are not taken", "take the tag out"),
    ("did not find expected whitespace or line break", "tags (!...) are not taken", "put quotes around the text"),
    ("did not find URI escaped octet", "tags (!...) are not taken", "take the tag out"),
    ("did not find expected comment or line break", "text after | or > on its line", "start the text on the next line"),
    ("directive name", "a line that starts with % is not taken", "put quotes around the text, or take it out"),
    ("found unexpected non-alphabetical", "a line that starts with % is not taken", "take it out"),
    ("mapping keys are not allowed", "a '? ' has no place here", "write key: value"),
    ("found a tab character", "a tab where only spaces may stand", "use spaces"),
    ("did not find expected alphabetic", "aliases and anchors (*name, &name) are not taken", "put quotes around it"),
)


def report_tabs(problems: Problems) -> bool:
    """Report every line that is indented with a tab; whether there was one."""
    found = False
    for number, line in enumerate(problems.lines, start=1):
        indentation = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indentation and line.strip() and not line.lstrip().startswith("#"):
            found = True
            column = indentation.index("\t") + 1
            place = Place(number, column, len(indentation) - column + 1)
            problems.error(place, "a tab in the indentation", "use spaces", code="yaml")
    return found


def report_syntax(error: YAMLError, problems: Problems) -> None:
    """Report what libyaml could not read, in our words."""
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        problems.error(TOP, f"this is not YAML: {error}", code="yaml")
        return
    said = str(getattr(error, "problem", "") or "")
    number = min(mark.line + 1, len(problems.lines))
    if "\t" in _indentation(problems.line(number)) + _indentation(problems.line(number - 1)) and report_tabs(problems):
        return
    line = problems.line(number)
    column = min(mark.column, len(line)) if number == mark.line + 1 else len(line)
    place = Place(number, column + 1, max(1, len(line[column:].rstrip())))
    context = str(getattr(error, "context", "") or "")
    for words, message, hint in _WORDS:
        if words in said:
            where = (
                _opening(error, place, problems) if "inside a quoted" in message or "not closed" in message else place
            )
            problems.error(where, message, hint, code="yaml")
            return
    problems.error(place, f"this is not YAML: {said} {context}".rstrip(), code="yaml")


def _opening(error: YAMLError, place: Place, problems: Problems) -> Place:
    """Where the text, list or mapping starts that never ends."""
    mark: Any = getattr(error, "context_mark", None)
    if mark is None:
        return place
    line = problems.line(mark.line + 1)
    return Place(mark.line + 1, mark.column + 1, max(1, len(line[mark.column :].rstrip())))


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
