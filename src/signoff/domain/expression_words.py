"""The words of an expression: an allow-list that refuses at its column whatever the language does not have.

Expressions are untrusted. What passes here is short, one line, has balanced brackets and alternates operands and signs,
so that the standard library's parser behind it never has a reason to warn, to recurse or to convert a giant number.
Imported by `expression_parse` and `expression` only.
"""

from __future__ import annotations

import keyword
import re
from typing import NamedTuple

from signoff.domain.errors import InvalidError

MAX_LENGTH = 1000
MAX_WORDS = 300
MAX_BRACKETS = 20
FUNCTIONS = {"abs": "abs(a)", "min": "min(a, b)", "max": "max(a, b)"}
LANGUAGE = "The language has names, numbers, + - * /, comparisons, and, or, not, abs, min and max."
SPLIT_IT = "Split it into several checks."

_WORD = re.compile(
    r"""(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>"[^"\\]*"|'[^'\\]*')
    | (?P<wrong>\*\*|//|&&|\|\||<>|=>|=<|:=)
    | (?P<sign><=|>=|==|!=|[-+*/<>()\[\].,])
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_RUN_ON = re.compile(r"[\w.]+")
_LOGIC = frozenset({"and", "or", "not"})
_CONSTANTS = frozenset({"true", "false", "none", "null"})
_BEFORE_NOT = _LOGIC | {"", "("}
_QUOTES = 'Write straight quotes, closed on the same line and without backslashes: "text".'
_INSTEAD = {
    "**": "Multiply instead: x * x.", "//": "Divide with /.", "%": "Write 90 % as 0.9.", "=": "Write == for equality.",
    "=>": "Write >=.", "=<": "Write <=.", "<>": "Write !=.", "&&": "Write and.", "&": "Write and.", "||": "Write or.",
    "|": "Write or.", "!": "Write not.", "≥": "Write >=.", "≤": "Write <=.", "≠": "Write !=.",
    "\N{MINUS SIGN}": "Write -.", "\N{MULTIPLICATION SIGN}": "Write *.", "“": _QUOTES, "”": _QUOTES, '"': _QUOTES,
    "'": _QUOTES, "\\": _QUOTES, "\n": "Write it on one line.",
    "\t": "Write spaces.", "is": "Write ==.", "in": "Write each case with == and or.",
}  # fmt: skip


class ExpressionError(InvalidError):
    """An expression that does not read, with the place: 0-based `column` and `length` into its text, in characters."""

    code = "bad_expression"

    def __init__(self, what: str, hint: str = "", *, column: int = 0, length: int = 1) -> None:
        super().__init__(what, hint)
        self.column = column
        self.length = length


def check_words(text: str) -> None:
    """Refuse a word that is not in the language, or that cannot stand where it does.

    Raises:
        ExpressionError: the first such word, or the expression is empty or too large.
    """
    if len(text) > MAX_LENGTH:
        what = f"The expression has {len(text)} characters; {MAX_LENGTH} are allowed."
        raise ExpressionError(what, SPLIT_IT, column=MAX_LENGTH)
    brackets: list[_Bracket] = []
    column, count, former, is_operand_due = 0, 0, "", True
    while (column := _skip_spaces(text, column)) < len(text):
        kind, word = _word_at(text, column)
        count += 1
        if count > MAX_WORDS or len(brackets) > MAX_BRACKETS:
            raise ExpressionError("The expression is too large.", SPLIT_IT, column=column)
        complaint = _complaint(kind, word, former, is_operand_due=is_operand_due)
        if complaint is not None:
            raise ExpressionError(f"{word} is not expected here.", complaint, column=column, length=len(word))
        _check_bracket(word, former, column, brackets)
        is_operand_due = word in _LOGIC or (kind == "sign" and word not in {")", "]"})
        column, former = column + len(word), word
    if not former:
        raise ExpressionError("The expression is empty.", "Write a condition such as accuracy > 0.9.")
    if is_operand_due:
        raise ExpressionError("The expression ends too early.", f"Something is missing after {former}.", column=column)
    if brackets:
        raise ExpressionError(f"{brackets[-1].sign} is never closed.", "Close it.", column=brackets[-1].column)


class _Bracket(NamedTuple):
    """An open bracket: which, where, and whether it holds a function's operands."""

    sign: str
    column: int
    is_call: bool


def _check_bracket(word: str, former: str, column: int, brackets: list[_Bracket]) -> None:
    """Keep account of open brackets; a comma belongs between a function's."""
    if word in {"(", "["}:
        brackets.append(_Bracket(word, column, former in FUNCTIONS))
    elif word in {")", "]"} and (not brackets or brackets.pop().sign + word not in {"()", "[]"}):
        raise ExpressionError(f"{word} closes nothing.", "Remove it, or open it before.", column=column)
    elif word == "," and not (brackets and brackets[-1].is_call):
        raise ExpressionError(", is not expected here.", "Write decimals with a point: 0.9.", column=column)


def _skip_spaces(text: str, column: int) -> int:
    return len(text) - len(text[column:].lstrip(" "))


def _complaint(kind: str, word: str, former: str, *, is_operand_due: bool) -> str | None:
    """Why `word` cannot follow `former`, as a hint; None where it can."""
    if former == "." and (kind != "name" or word in _LOGIC):
        return "A name follows a point."
    if is_operand_due:
        if word == "not":
            return None if former in _BEFORE_NOT else "Put the part with not into brackets."
        if word == "+":
            return "Leave the + out."
        is_operand = kind in {"number", "text", "name"} and word not in _LOGIC
        return None if is_operand or word in {"(", "-"} else "A name or a number is missing before it."
    if word == "(" and former not in FUNCTIONS:
        return "Only abs, min and max can be called."
    is_joint = kind == "sign" or word in {"and", "or"}
    return None if is_joint else "An operator is missing before it, such as and or >."


def _word_at(text: str, column: int) -> tuple[str, str]:
    """The kind and text of the word that begins at `column`."""
    found = _WORD.match(text, column)
    kind, word = (str(found.lastgroup), found[0]) if found else ("other", text[column])
    refusal: tuple[str, str] | None = None
    if kind == "number":
        run_on = _RUN_ON.match(text, column + len(word))
        if run_on or re.fullmatch(r"0[0-9]+", word):
            word += run_on[0] if run_on else ""
            refusal = f"{word} is not a plain number.", "Write numbers like 12, 0.9 or 1e-3."
    elif kind == "name":
        refusal = _name_refusal(word, text[column + len(word) : column + len(word) + 1])
    elif kind == "text" and not word.isprintable():
        refusal = "A string holds a character that cannot be seen.", "Remove it."
    elif kind in {"wrong", "other"}:
        shown = word if word.isprintable() else f"The character U+{ord(word):04X}"
        hint = 'Write such a name as metric["the name"].' if word.isalpha() else LANGUAGE
        refusal = f"{shown} is not in the language.", _INSTEAD.get(word, hint)
    if refusal is not None:
        raise ExpressionError(*refusal, column=column, length=len(word))
    return kind, word


def _name_refusal(word: str, after: str) -> tuple[str, str] | None:
    """What is wrong with the name `word` before the character `after`, and what to do; None where nothing is."""
    small, quoted = word.lower(), f'A metric of that name is written metric["{word}"].'
    if after in {'"', "'"} and word not in _LOGIC:
        return f"{word} is not expected here.", "Strings have no prefix."
    if small in _CONSTANTS:
        return f"{word} is not in the language.", "A comparison is true or false by itself: write accuracy > 0.9."
    if small in _LOGIC and word != small:
        return f"{word} is not in the language.", f"Write {small}."
    if keyword.iskeyword(word) and word not in _LOGIC:
        return f"{word} is not in the language.", _INSTEAD.get(word, quoted)
    if word.startswith("__"):
        return "A name does not begin with two underscores.", quoted
    return None
