"""Markup in every text that somebody else will look at: it stays text on every page, under a policy that runs nothing.

`e2e/test_scripts_in_chromium.py` looks at the same in a browser.
"""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from hostile_text import PAYLOADS, Story, tell
from house import House
from page_browser import Browser
from signoff.web.door import policy

ALLOWED_SCHEMES = ("/", "#", "?", "https://", "http://testserver", "mailto:")
VOICES = ("alice", "bob", "dave", "erin")


class Suspect(HTMLParser):
    """Collects what would run, load or lead elsewhere."""

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self._nonce = nonce
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "script" and (
            named.get("nonce") != self._nonce or not (named.get("src") or "").startswith("/static/")
        ):
            self.found.append(f"script {named}")
        if tag in {"iframe", "object", "embed", "base", "style", "math", "template", "marquee", "video", "audio"}:
            self.found.append(tag)
        if tag == "meta" and "http-equiv" in named:
            self.found.append("meta http-equiv")
        for name, value in attrs:
            if name.startswith("on") or name in {"style", "srcdoc", "formaction"}:
                self.found.append(f"{tag} {name}={value}")
            if name in {"href", "src", "action", "xlink:href"} and not (value or "/").startswith(ALLOWED_SCHEMES):
                self.found.append(f"{tag} {name}={value}")


@pytest.fixture
def story(house: House) -> Story:
    """A run in which everybody wrote markup wherever they could."""
    return tell(house)


def suspects(text: str, nonce: str) -> list[str]:
    reader = Suspect(nonce)
    reader.feed(text)
    return reader.found


def test_what_would_run_is_found() -> None:
    assert all(suspects(payload, "n") for payload in PAYLOADS)


@pytest.mark.parametrize("who", VOICES)
def test_no_page_takes_anybodys_words_for_markup(house: House, story: Story, who: str) -> None:
    browser, seen = Browser(house).sign_in(who), 0
    for path in story.paths:
        page = browser.get(path)
        if page.status_code == 403:
            continue
        assert page.status_code == 200, (path, page.status_code)
        said = page.headers["content-security-policy"]
        nonce = said.partition("'nonce-")[2].partition("'")[0]
        assert said == policy(nonce), path
        assert suspects(page.text, nonce) == [], path
        seen += story.mark in page.text
    assert seen >= 4, "nobody would have seen the markup at all"
    card = browser.get(f"/runs/{story.run}/gates/approve").text.partition('id="card"')[2].partition("</section>")[0]
    assert card.count(story.mark) > len(PAYLOADS), "the model card is not on the page"


def test_what_a_page_does_not_draw_is_no_page(house: House, story: Story) -> None:
    browser = Browser(house).sign_in("erin")
    for path in story.downloads:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-disposition"].startswith("attachment"), path
        assert "html" not in answer.headers["content-type"], path
        assert answer.headers["x-content-type-options"] == "nosniff"
    said = house.as_("erin").get(f"/runs/{story.run}")
    assert said.headers["content-type"] == "application/json"
    assert said.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_page_that_is_not_there_or_a_filter_does_not_repeat_markup(house: House, payload: str) -> None:
    browser = Browser(house).sign_in("erin")
    for path in (
        "/nowhere",
        "/runs",
        "/models",
        "/audit",
        "/deployments",
        "/sign-in",
        "/link",
        "/device",
        "/pipelines/validate",
    ):
        for name in ("model", "person", "state", "next", "code", "actor", "type", "run", "after", "cursor"):
            page = browser.client.get(path, params={name: payload})
            nonce = page.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0]
            assert suspects(page.text, nonce) == [], (path, name)
