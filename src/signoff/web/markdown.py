"""Remarks as people write them, in Markdown, as HTML that is safe to show: nobody's remark runs, loads or imitates.

HTML in the text stays text, pictures become their description, links say where they lead and nothing about us, and
what is left goes through an allow-list once more. Mentions of people whom the server knows stand out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

LONGEST = 20_000
"""Of a longer text only the beginning is shown."""
_MOST_BRACKETS = 1_000
"""Brackets that open a link and close none are looked for over and over: with more of them a text stays as it is."""
_MENTION = re.compile(r"(?<![\w@.])@([A-Za-z0-9][A-Za-z0-9._-]{0,99})")
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_HEADINGS = {"h1": "h4", "h2": "h5", "h3": "h6", "h4": "h6", "h5": "h6"}


def as_html(text: str, people: Collection[str] = ()) -> Markup:
    """`text` as HTML. `people` are those whose ``@name`` is a mention."""
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
    if shown.count("[") > _MOST_BRACKETS:
        return Markup("<pre>{}</pre>").format(shown)
    html = _READER.render(shown, {"people": people})
    return Markup(  # noqa: S704 - it went through the allow-list  # nosec B704
        nh3.clean(
            html,
            tags=_TAGS,
            attributes={"a": {"href"}, "ol": {"start"}},
            allowed_classes={"span": {"at-person"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer nofollow ugc",
        )
    )


def mentioned(text: str, people: Collection[str]) -> tuple[str, ...]:
    """Whom of `people` the text mentions, in order, each once."""
    return tuple(dict.fromkeys(name for found in _MENTION.finditer(text) if (name := _name(found[1], people))))


def _name(written: str, people: Collection[str]) -> str | None:
    """The person meant by `written`, which may be followed by the end of a sentence."""
    for name in (written, written.rstrip(".-_")):
        if name in people:
            return name
    return None


def _find_mentions(state: StateCore) -> None:
    people = state.env.get("people", ())
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = _HEADINGS.get(token.tag, token.tag)
        if token.children:
            token.children = [part for child in token.children for part in _split(child, people)]


def _split(token: Token, people: Collection[str]) -> Iterator[Token]:
    if token.type != "text":
        yield token
        return
    at = 0
    for found in _MENTION.finditer(token.content):
        name = _name(found[1], people)
        if name is not None:
            yield Token("text", "", 0, content=token.content[at : found.start()])
            yield Token("mention", "span", 0, content=name)
            at = found.start() + 1 + len(name)
    yield Token("text", "", 0, content=token.content[at:])


def _mention(_self: RendererProtocol, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    return f'<span class="at-person">@{escape(tokens[index].content)}</span>'


def _picture(_self: RendererProtocol, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    return escape(f"[picture: {tokens[index].content or 'without a description'}]")


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).enable(
        ["table", "strikethrough"]
    )
    reader.core.ruler.push("mentions", _find_mentions)
    reader.add_render_rule("mention", _mention)
    reader.add_render_rule("image", _picture)
    return reader


_READER = _reader()
