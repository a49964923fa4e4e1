"""What an unquoted word of a YAML file means: the core schema of YAML 1.2.2 (section 10.3.2), and no other.

YAML 1.1, which most Python libraries read, takes `on` and `no` for booleans and `012` for ten.
"""

from __future__ import annotations

import re

Value = str | int | float | bool | None

_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 100
"""Longer digits stay text: no field needs them, and converting them costs more than reading the file."""


def resolve(text: str) -> Value:
    """The value of the unquoted scalar `text`."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS or len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def offset_in_source(source: str, start: int, style: str | None, offset: int) -> int | None:
    """Where in the line `source` character `offset` of a scalar's value stands, the scalar starting at `start`.

    None for a scalar over several lines, whose characters have no place in one.
    """
    if style is None:
        return start + offset
    if style not in {"'", '"'}:
        return None
    position = start + 1
    for _ in range(offset):
        if position >= len(source):
            return None
        position += _escape_length(source, position, style)
    return position


def _escape_length(source: str, position: int, style: str) -> int:
    """How many characters of `source` at `position` make one character of the value."""
    if style == "'":
        return 2 if source.startswith("''", position) else 1
    if source[position] != "\\":
        return 1
    return 2 + {"x": 2, "u": 4, "U": 8}.get(source[position + 1 : position + 2], 0)
