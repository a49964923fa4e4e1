"""What an expression is once it is read, and the reader: text to a frozen tree of conditions and terms.

After `expression_words` has let the text pass, the standard library's `ast` gives it structure; only the node types
named here are translated, everything else is refused at its column, and every term is known to be a number, a string or
a condition before anything is evaluated. Nothing is compiled or executed. Imported by `expression` only.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from signoff.domain.expression_words import FUNCTIONS, LANGUAGE, SPLIT_IT, ExpressionError, check_words

MAX_DEPTH = 50
RESERVED = frozenset({"metric", "champion", "delta", "model", "attempt", *FUNCTIONS})
"""Words with a meaning of their own; a metric of that name is written ``metric["min"]``."""

_OWNERS = frozenset({"metric", "champion", "delta"})
_ARITHMETIC: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: dict[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Origin(StrEnum):
    """Where a name's value comes from."""

    METRIC = "metric"
    STEP = "step"
    CHAMPION = "champion"
    DELTA = "delta"
    VERSION = "version"
    TAG = "tag"
    ATTEMPT = "attempt"


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that an expression reads. `step` is set where `origin` is a step."""

    origin: Origin
    name: str
    step: str = ""

    @property
    def label(self) -> str:
        """How people and records name it: ``accuracy``, ``champion.auc``, ``model.tags["team"]``; never ambiguous."""
        if self.origin is Origin.METRIC:
            is_plain = "." not in self.name and self.name not in RESERVED
            return self.name if is_plain else f'metric["{self.name}"]'
        if self.origin is Origin.TAG:
            return f'model.tags["{self.name}"]'
        owner = {Origin.STEP: self.step, Origin.VERSION: "model"}.get(self.origin, self.origin.value)
        return self.name if self.origin is Origin.ATTEMPT else f"{owner}.{self.name}"

    @property
    def is_text(self) -> bool:
        """Whether its value is a string rather than a number."""
        return self.origin in {Origin.VERSION, Origin.TAG}

    @property
    def needs_champion(self) -> bool:
        """Whether it has no value without a champion."""
        return self.origin in {Origin.CHAMPION, Origin.DELTA}


@dataclass(frozen=True, slots=True)
class Constant:
    """A number or string, and how it was written."""

    value: Decimal | str
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Arithmetic: `sign` is one of ``+ - * / negate abs min max``, `text` how it was written."""

    sign: str
    operands: tuple[Term, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two terms of one kind and the sign between them. A chain is several of these under one ``and``."""

    sign: str
    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Logic:
    """``and`` or ``or`` of two or more conditions, or ``not`` of one."""

    word: str
    operands: tuple[Condition, ...]


Term = Reference | Constant | Operation
Condition = Comparison | Logic


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was read and found sound. Made by `parse` only."""

    text: str
    condition: Condition

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every name that it reads, once, in the order of the text."""
        return tuple(dict.fromkeys(references(self.condition)))

    @property
    def names(self) -> frozenset[str]:
        """The labels of what it reads: ``accuracy``, ``champion.auc``, ``test_model.auc``, ``model.version``."""
        return frozenset(reference.label for reference in self.references)

    @property
    def uses_champion(self) -> bool:
        """Whether it compares with the champion."""
        return any(reference.needs_champion for reference in self.references)


def references(node: Condition | Term) -> tuple[Reference, ...]:
    """The names read under `node`, in the order of the text, repeats included."""
    if isinstance(node, Reference):
        return (node,)
    if isinstance(node, Constant):
        return ()
    parts = (node.left, node.right) if isinstance(node, Comparison) else node.operands
    return tuple(found for part in parts for found in references(part))


def parse(text: str) -> Expression:
    """The expression that `text` says.

    Raises:
        ExpressionError: it is not in the language, too large, or mixes up numbers, strings and conditions.
    """
    check_words(text)
    body = text.lstrip(" ")
    reader = _Reader(body, len(text) - len(body))
    try:
        tree = ast.parse(body, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError("The expression cannot be read.", LANGUAGE, length=len(text)) from error
    return Expression(text, reader.condition(tree.body, 0))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Translates `ast` nodes of `body`, which begins at column `start` of the whole text."""

    body: str
    start: int

    def condition(self, node: ast.expr, depth: int) -> Condition:
        """`node` as something that is true or false."""
        self.check_depth(node, depth)
        match node:
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                return Logic(word, tuple(self.condition(value, depth + 1) for value in values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Logic("not", (self.condition(operand, depth + 1),))
            case ast.Compare(ops=ops) if all(type(op) in _COMPARISONS for op in ops):
                return self.comparison(node, depth)
        term = self.term(node, depth)
        example = '== "..."' if _is_text(term) else "> 0.9"
        hint = f"Compare it: {self.text(node)} {example}."
        raise self.error(f"{self.kinded(node, term)}, not a condition.", hint, node)

    def comparison(self, node: ast.Compare, depth: int) -> Condition:
        """`node` as one comparison, or a chain as the ``and`` of its links."""
        parts = [node.left, *node.comparators]
        terms = [self.term(part, depth + 1) for part in parts]
        links: list[Comparison] = []
        for index, op in enumerate(node.ops):
            left, right, part = terms[index], terms[index + 1], parts[index + 1]
            sign = _COMPARISONS[type(op)]
            if _is_text(left) != _is_text(right):
                what = f"{self.kinded(parts[index], left)}, {self.kinded(part, right)}."
                raise self.error(what, 'Strings are compared with strings: model.version == "3".', part)
            if _is_text(left) and sign not in {"==", "!="}:
                raise self.error("Strings have no order.", "Compare them with == or !=.", part)
            links.append(Comparison(sign, left, right))
        return links[0] if len(links) == 1 else Logic("and", tuple(links))

    def number(self, node: ast.expr, depth: int) -> Term:
        """`node` as a number."""
        term = self.term(node, depth)
        if _is_text(term):
            raise self.error(f"{self.text(node)} is a string, not a number.", "Strings are only compared.", node)
        return term

    def term(self, node: ast.expr, depth: int) -> Term:
        """`node` as a number or string."""
        self.check_depth(node, depth)
        match node:
            case ast.Constant(value=str() as value):
                return Constant(value, self.text(node))
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if value > sys.float_info.max:
                    raise self.error("The number is too large.", "Write a number below 1e308.", node)
                return Constant(Decimal(repr(value)), self.text(node))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                operands = self.number(left, depth + 1), self.number(right, depth + 1)
                return Operation(_ARITHMETIC[type(op)], operands, self.text(node))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _negated(self.number(operand, depth + 1), self.text(node))
            case ast.Call():
                return self.call(node, depth)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self.reference(node)
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                hint = "Compare numbers, and join comparisons with and or or."
                raise self.error(f"{self.text(node)} is a condition, not a number.", hint, node)
        raise self.error("This is not in the language.", LANGUAGE, node)

    def call(self, node: ast.Call, depth: int) -> Operation:
        """``abs`` of one number, ``min`` or ``max`` of two or more."""
        name = self.text(node.func)
        if name not in FUNCTIONS or node.keywords:
            raise self.error(f"{name} cannot be called.", "Only abs, min and max can.", node.func)
        if (len(node.args) == 1) != (name == "abs"):
            takes = "one number" if name == "abs" else "two or more numbers"
            raise self.error(f"{name} takes {takes}.", f"Write {FUNCTIONS[name]}.", node)
        return Operation(name, tuple(self.number(arg, depth + 1) for arg in node.args), self.text(node))

    def reference(self, node: ast.Name | ast.Attribute | ast.Subscript) -> Reference:
        """A name, ``<word>.<name>``, ``<word>["name"]`` or ``model.tags["key"]``."""
        match node:
            case ast.Name("attempt"):
                return Reference(Origin.ATTEMPT, "attempt")
            case ast.Name(name) if name not in RESERVED:
                return Reference(Origin.METRIC, name)
            case ast.Name(name):
                hint = f'A metric of that name is written metric["{name}"].'
                raise self.error(f"{name} has a meaning of its own.", hint, node)
            case ast.Attribute(ast.Name("model"), "version"):
                return Reference(Origin.VERSION, "version")
            case ast.Subscript(ast.Attribute(ast.Name("model"), "tags"), ast.Constant(str() as key)):
                return Reference(Origin.TAG, self.key(key, node))
            case ast.Attribute(ast.Name(owner), name) | ast.Subscript(ast.Name(owner), ast.Constant(str() as name)):
                if owner in _OWNERS:
                    return Reference(Origin(owner), self.key(name, node))
                if owner not in RESERVED:
                    return Reference(Origin.STEP, self.key(name, node), owner)
        hint = 'Write accuracy, champion.accuracy, step.accuracy, metric["a name"], model.version or model.tags["key"].'
        raise self.error(f"{self.text(node)} is not a name.", hint, node)

    def key(self, key: str, node: ast.expr) -> str:
        """`key`, which has a name between its quotes."""
        if key.strip() and '"' not in key:
            return key
        raise self.error("A name is not empty and has no quotes.", 'Write metric["val-accuracy"].', node)

    def check_depth(self, node: ast.expr, depth: int) -> None:
        """Refuse what is nested so deeply that walking it would not be safe."""
        if depth > MAX_DEPTH:
            raise self.error("The expression is nested too deeply.", SPLIT_IT, node)

    def kinded(self, node: ast.expr, term: Term) -> str:
        """``accuracy is a number``."""
        return f"{self.text(node)} is a {'string' if _is_text(term) else 'number'}"

    def text(self, node: ast.expr) -> str:
        """How `node` was written."""
        column, length = self.place(node)
        return self.body[column : column + length]

    def place(self, node: ast.expr) -> tuple[int, int]:
        """Column and length of `node` in `body`, in characters; `ast` counts bytes."""
        encoded = self.body.encode()
        column = len(encoded[: node.col_offset].decode())
        return column, len(encoded[: node.end_col_offset].decode()) - column

    def error(self, what: str, hint: str, node: ast.expr) -> ExpressionError:
        """An error that points at `node`."""
        column, length = self.place(node)
        return ExpressionError(what, hint, column=self.start + column, length=length)


def _negated(term: Term, text: str) -> Term:
    """Minus `term`: a number stays a number, so that reasons say -0.5."""
    if isinstance(term, Constant) and isinstance(term.value, Decimal):
        return Constant(term.value.copy_negate(), text)
    return Operation("negate", (term,), text)


def _is_text(term: Term) -> bool:
    if isinstance(term, Constant):
        return isinstance(term.value, str)
    return isinstance(term, Reference) and term.is_text
