"""The expressions of checks and `auto_approve_if`, with a caret into the text where one does not read."""

from __future__ import annotations

from functools import lru_cache

from signoff.domain.expression import Expression, ExpressionError, parse
from signoff.spec.fields import Fields
from signoff.spec.problem import Place, Problems
from signoff.spec.scalar import offset_in_source
from signoff.spec.tree import Node, Scalar


def read_expression(fields: Fields, node: Node, called: str) -> Expression | None:
    """The expression that `node` holds; None with a problem where it does not read."""
    text = fields.as_text(node, called)
    if text is None or not isinstance(node, Scalar):
        return None
    try:
        return _parse(text.strip())
    except ExpressionError as error:
        what = error.what[:1].lower() + error.what[1:].removesuffix(".")
        fields.problems.error(
            _inside(node, text, error, fields.problems),
            f"{called} does not read: {what}",
            error.hint.removesuffix("."),
            code="bad_expression",
        )
        return None


@lru_cache(maxsize=256)
def _parse(text: str) -> Expression:
    """`parse`, remembering what long pipelines repeat."""
    return parse(text)


def _inside(node: Scalar, text: str, error: ExpressionError, problems: Problems) -> Place:
    """The place of `error` in the expression that `node` holds; all of `node` where that cannot be said."""
    source = problems.line(node.place.line)
    first = node.place.column - 1
    last = first + node.place.length
    column = error.column + len(text) - len(text.lstrip())
    start = offset_in_source(source, first, node.style, column)
    end = offset_in_source(source, first, node.style, column + error.length)
    if start is None or start > last:
        return node.place
    return Place(node.place.line, start + 1, max(1, min(end or last, last) - start))
