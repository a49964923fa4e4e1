"""What the expression language takes, and how it refuses the rest: at the right column, quickly, never otherwise."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from signoff.domain.errors import SignoffError
from signoff.domain.expression import Expression, ExpressionError, parse

WORDS = [
    *(
        "accuracy",
        "auc.x",
        "champion",
        ".",
        '"x"',
        "metric",
        "[",
        "]",
        "(",
        ")",
        "+",
        "-",
        "*",
        "/",
        "**",
        "//",
        "<",
        "<=",
    ),
    *(
        ">",
        "==",
        "!=",
        "=",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "for",
        "lambda",
        "abs",
        "min",
        "max",
        ",",
        ":",
    ),
    *(
        ":=",
        "1",
        "0.9",
        "1e3",
        "1_000",
        "0x1f",
        "1j",
        "007",
        "True",
        "None",
        "attempt",
        "model",
        "version",
        "tags",
        "%",
    ),
    *("__class__", "é", "②", "\n", "\0", "\\", "f'{x}'", "\ud800"),
]

HOSTILE = [
    "(" * 500,
    "(" * 300 + "a" + ")" * 300 + " > 1",
    "[" * 900,
    "-" * 990 + "a > 1",
    "not " * 240 + "a > 1",
    "- " * 299 + "a",
    "a" * 1_000_000,
    "9" * 999 + " > a",
    "9" * 5_000,
    "9" * 100 + "**" + "9" * 100 + " > a",
    "9**9**9**9**9 > a",
    "1e999999999 > a",
    "a" + " + a" * 149 + " > 1",
    "a" + " and a" * 160,
    "a" + ".a" * 400 + " > 1",
    "min(" * 240 + "a",
    "lambda: 0",
    "(lambda x: x)(1) > 0",
    "().__class__.__bases__[0].__subclasses__()",
    'a.__class__.__mro__ == "x"',
    "__import__('os').system('true')",
    "open('/etc/passwd')",
    "exec('1')",
    "f'{accuracy}' == 'x'",
    'f"{().__class__}" == "x"',
    "(x := 5) > 3",
    "[x for x in a] > 1",
    "{a: 1 for a in b}",
    "a if b else c",
    "await a > 1",
    "yield",
    "*a > 1",
    "min(*a) > 1",
    "max(a, key=b) > 1",
    "accuracy > 0.9\x00",
    "\x00",
    "accuracy > 0.9\nimport os",
    "accuracy > 0.9 # is fine",
    "accuracy > 0.9; b > 1",
    "ａccuracy > 0.9",  # noqa: RUF001 - a letter that Python would fold into another name is the point
    "accuracy\u202e > 0.9",
    'model.version == "\u202e3"',
    'model.version == "\ud800"',
    "a > 0.9\u00a0",
    "@a > 1",
    "a @ b > 1",
    "~a > 1",
    "a << 99 > 1",
    "0xffffffffffffffffffff > a",
    "1if a else 2",
    "1or a > 2",
    "'\\N{DIGIT ONE}' == model.version",
    "'''x''' == model.version",
    "...",
    "a[::] > 1",
    "globals()['x'] > 1",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_within_milliseconds(text: str) -> None:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        with pytest.raises(ExpressionError) as refusal:
            parse(text)
        best = min(best, time.perf_counter() - started)
    assert best < 0.05
    assert_points_into(refusal.value, text)


def assert_points_into(error: ExpressionError, text: str) -> None:
    assert isinstance(error, SignoffError)
    assert error.code == "bad_expression"
    assert error.what
    assert error.hint
    assert 0 <= error.column <= len(text)
    assert error.length >= 1
    assert error.column + error.length <= len(text) + 1


def outcome(text: str) -> Expression | tuple[str, str, int, int]:
    try:
        return parse(text)
    except ExpressionError as error:
        assert_points_into(error, text)
        return error.what, error.hint, error.column, error.length


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=60))
@example("accuracy > 0.9 \ud800")
@example("1is 1")
def test_any_text_is_read_or_refused_and_never_anything_else(text: str) -> None:
    assert outcome(text) == outcome(text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(["", " "])), max_size=14))
def test_any_row_of_words_is_read_or_refused_and_never_anything_else(words: list[tuple[str, str]]) -> None:
    text = "".join(word + space for word, space in words)
    assert outcome(text) == outcome(text)


@pytest.mark.parametrize("error", [SyntaxError("odd"), ValueError("odd"), MemoryError(), RecursionError()])
def test_whatever_the_standard_parser_raises_is_a_refusal(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ast, "parse", refuse)
    with pytest.raises(ExpressionError, match="cannot be read"):
        parse("accuracy > 0.9")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("accuracy > 0.9", {"accuracy"}),
        ("  accuracy>.9 ", {"accuracy"}),
        ("auc >= champion.auc - 0.005", {"auc", "champion.auc"}),
        ("delta.auc > -0.01", {"delta.auc"}),
        ("test_model.auc > 0.9 and not test_model.auc == 1", {"test_model.auc"}),
        ('model.version == "3" or model.tags["risk class"] != \'high\'', {"model.version", 'model.tags["risk class"]'}),
        ("attempt < 3", {"attempt"}),
        ('metric["val-accuracy"] > champion["val-accuracy"]', {"val-accuracy", "champion.val-accuracy"}),
        ('metric["f1@0.5"] > 0.5', {'metric["f1@0.5"]'}),
        ('metric["min"] > 0.5 and metric["auc"] > 1', {'metric["min"]', "auc"}),
        ('test_model["précision"] > 0.5', {"test_model.précision"}),
        ("0.8 < abs(min(accuracy, auc, 1) - max(f1, 2) * -3 / 4) + 1e-3 < 1", {"accuracy", "auc", "f1"}),
        ("((a > 1) and (b > 1 or c > 1))", {"a", "b", "c"}),
    ],
)
def test_an_expression_knows_the_names_that_it_reads(text: str, names: set[str]) -> None:
    expression = parse(text)
    assert expression.names == names
    assert expression.text == text
    assert expression.uses_champion is any(name.startswith(("champion", "delta")) for name in names)


def test_a_sum_of_forty_terms_is_fine() -> None:
    assert parse(" + ".join(["a"] * 40) + " > 1").names == {"a"}


@pytest.mark.parametrize(
    ("text", "column", "length", "what", "hint"),
    [
        ("", 0, 1, "The expression is empty.", "Write a condition such as accuracy > 0.9."),
        ("   ", 0, 1, "The expression is empty.", "Write a condition such as accuracy > 0.9."),
        ("accuracy", 0, 8, "accuracy is a number, not a condition.", "Compare it: accuracy > 0.9."),
        (" model.version", 1, 13, "model.version is a string, not a condition.", 'Compare it: model.version == "...".'),
        ("a > 1 and auc", 10, 3, "auc is a number, not a condition.", "Compare it: auc > 0.9."),
        ("not auc", 4, 3, "auc is a number, not a condition.", "Compare it: auc > 0.9."),
        (
            "(a > 1) + 2 > 1",
            1,
            5,
            "a > 1 is a condition, not a number.",
            "Compare numbers, and join comparisons with and or or.",
        ),
        (
            "(a > 1) == (b > 1)",
            1,
            5,
            "a > 1 is a condition, not a number.",
            "Compare numbers, and join comparisons with and or or.",
        ),
        ('model.version < "3"', 16, 3, "Strings have no order.", "Compare them with == or !=."),
        (
            "model.version == 3",
            17,
            1,
            "model.version is a string, 3 is a number.",
            'Strings are compared with strings: model.version == "3".',
        ),
        ('"é" + 1 > 2', 0, 3, '"é" is a string, not a number.', "Strings are only compared."),
        ('model.version == "é" and a', 25, 1, "a is a number, not a condition.", "Compare it: a > 0.9."),
        ("abs(-model.version) > 1", 5, 13, "model.version is a string, not a number.", "Strings are only compared."),
        (
            "accuracy == True",
            12,
            4,
            "True is not in the language.",
            "A comparison is true or false by itself: write accuracy > 0.9.",
        ),
        ("accuracy = 0.9", 9, 1, "= is not in the language.", "Write == for equality."),
        ("accuracy > 90%", 13, 1, "% is not in the language.", "Write 90 % as 0.9."),
        ("accuracy > 0,9", 12, 1, ", is not expected here.", "Write decimals with a point: 0.9."),
        ("a > 1 AND b > 1", 6, 3, "AND is not in the language.", "Write and."),
        ("a > 1 && b > 1", 6, 2, "&& is not in the language.", "Write and."),
        ("a ** 2 > 1", 2, 2, "** is not in the language.", "Multiply instead: x * x."),
        ("accuracy ≥ 0.9", 9, 1, "≥ is not in the language.", "Write >=."),
        ("val-accuracy é", 13, 1, "é is not in the language.", 'Write such a name as metric["the name"].'),
        ("a > 1_000", 4, 5, "1_000 is not a plain number.", "Write numbers like 12, 0.9 or 1e-3."),
        ("a > 1e-3x", 4, 5, "1e-3x is not a plain number.", "Write numbers like 12, 0.9 or 1e-3."),
        ("a > 007", 4, 3, "007 is not a plain number.", "Write numbers like 12, 0.9 or 1e-3."),
        ("a > 1e999", 4, 5, "The number is too large.", "Write a number below 1e308."),
        ("a >", 3, 1, "The expression ends too early.", "Something is missing after >."),
        ("(a > 1", 0, 1, "( is never closed.", "Close it."),
        ("a > 1)", 5, 1, ") closes nothing.", "Remove it, or open it before."),
        ("a auc > 1", 2, 3, "auc is not expected here.", "An operator is missing before it, such as and or >."),
        ("a > > 1", 4, 1, "> is not expected here.", "A name or a number is missing before it."),
        ("a > +1", 4, 1, "+ is not expected here.", "Leave the + out."),
        ("a + not b > 1", 4, 3, "not is not expected here.", "Put the part with not into brackets."),
        ("exp(a) > 1", 3, 1, "( is not expected here.", "Only abs, min and max can be called."),
        ("a.min(b, c) > 1", 0, 5, "a.min cannot be called.", "Only abs, min and max can."),
        ("1 < abs(a, b)", 4, 9, "abs takes one number.", "Write abs(a)."),
        ("max(a) > 1", 0, 6, "max takes two or more numbers.", "Write max(a, b)."),
        (
            "champion > 1",
            0,
            8,
            "champion has a meaning of its own.",
            'A metric of that name is written metric["champion"].',
        ),
        ('metric[""] > 1', 0, 10, "A name is not empty and has no quotes.", 'Write metric["val-accuracy"].'),
        (
            "model.stage > 1",
            0,
            11,
            "model.stage is not a name.",
            'Write accuracy, champion.accuracy, step.accuracy, metric["a name"], model.version or model.tags["key"].',
        ),
        (
            "a[0] > 1",
            0,
            4,
            "a[0] is not a name.",
            'Write accuracy, champion.accuracy, step.accuracy, metric["a name"], model.version or model.tags["key"].',
        ),
        ('r"x" == "a"', 0, 1, "r is not expected here.", "Strings have no prefix."),
        ("a\t> 1", 1, 1, "The character U+0009 is not in the language.", "Write spaces."),
        ("a > 1\n", 5, 1, "The character U+000A is not in the language.", "Write it on one line."),
        ("a" * 1005, 1000, 1, "The expression has 1005 characters; 1000 are allowed.", "Split it into several checks."),
    ],
)  # fmt: skip
def test_a_refusal_says_where_what_and_what_to_do(text: str, column: int, length: int, what: str, hint: str) -> None:
    assert outcome(text) == (what, hint, column, length)
