"""Remarks as HTML: what people mean shows, what an attacker means does not."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from signoff.web.markdown import LONGEST, as_html, mentioned


class Elements(HTMLParser):
    """The tags and attributes that a browser would make of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


PEOPLE = {"bob", "carol", "j.doe"}


def test_what_people_write_shows() -> None:
    html = as_html("**Gap** is `0.05`, see [the note](https://example.org/a)\n\n- one\n- two")
    assert "<strong>Gap</strong>" in html
    assert "<code>0.05</code>" in html
    assert "<li>one</li>" in html
    assert '<a href="https://example.org/a" rel="noopener noreferrer nofollow ugc">the note</a>' in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](data:text/html,<script>alert(1)</script>)",
        "![a](https://example.org/pixel.png)",
        '<a href="/x" onclick="x()">a</a>',
        "<style>body{display:none}</style>",
        "<form action=/decide><button>ok</button></form>",
        '@bob"><script>alert(1)</script>',
    ],
)
def test_nothing_of_a_remark_runs_or_loads(text: str) -> None:
    found = Elements()
    found.feed(as_html(text, PEOPLE))
    assert set(found.tags) <= {"p", "a", "span"}
    assert {name for name, _ in found.attributes} <= {"class", "href", "rel"}
    assert not [value for name, value in found.attributes if name == "href" and not (value or "").startswith("http")]


def test_a_picture_is_its_description() -> None:
    assert as_html("![the curve](https://example.org/x.png)") == "<p>[picture: the curve]</p>\n"


def test_headings_stay_below_those_of_the_page() -> None:
    assert as_html("# Big") == "<h4>Big</h4>\n"


def test_people_whom_the_server_knows_are_mentioned() -> None:
    text = "@bob, ask @j.doe. Not `@carol`, nor mail@bob nor @nobody"
    html = as_html(text, PEOPLE)
    assert html.count('class="at-person"') == 2
    assert '<span class="at-person">@bob</span>' in html
    assert '<span class="at-person">@j.doe</span>.' in html
    assert mentioned("@bob and @carol. @bob!", PEOPLE) == ("bob", "carol")


def test_a_novel_is_cut() -> None:
    assert len(as_html("a" * (LONGEST + 5000))) < LONGEST + 50
