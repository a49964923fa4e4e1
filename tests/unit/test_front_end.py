"""What the pages are made of: icons that exist, our own files that stay small, a build that notices what changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import build
import pytest

from signoff.web.destination import safe_path, sign_in_address
from signoff.web.moments import in_words, relative

TOP = Path(__file__).parents[2]
WEB = TOP / "src" / "signoff" / "web"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_every_icon_that_a_page_names_is_built() -> None:
    sources = [*WEB.rglob("*.html"), *WEB.glob("*.py")]
    named = {name for file in sources for name in re.findall(r'\bicon\("([a-z0-9-]+)"', file.read_text())}
    assert len(named) > 10
    assert named - set((TOP / "frontend" / "icons.txt").read_text().split()) == set()


@pytest.mark.parametrize("name", ["app.css", "app.js", "theme.js", "charts.js", "passkeys.js"])
def test_our_own_style_and_scripts_stay_small(name: str) -> None:
    assert len((WEB / "static" / name).read_text().splitlines()) < 200


def test_no_template_holds_a_script_or_style_of_its_own() -> None:
    for file in WEB.rglob("*.html"):
        text = file.read_text()
        assert re.findall(r"<style|<script(?![^>]*\bsrc=)|\sstyle=\"|\son[a-z]+=\"", text) == [], file.name
        assert re.findall(r"<script(?![^>]*nonce=)", text) == [], file.name


def test_every_form_that_changes_something_carries_its_token() -> None:
    forms = [
        (file.name, form)
        for file in WEB.rglob("*.html")
        for form in re.findall(r"<form\b.*?</form>", file.read_text(), re.DOTALL)
        if 'method="post"' in form
    ]
    assert len(forms) > 5
    assert [name for name, form in forms if "csrf_field" not in form] == []


def test_the_interpreter_of_charts_is_turned_into_a_script_or_the_build_stops() -> None:
    module = (
        "import { isString } from 'vega-util';\n"
        "const expression = 1;\n"
        "export { expression as expressionInterpreter };\n"
    )
    script = build._interpreter(module)
    assert "const { isString } = vega;" in script
    assert "globalThis.vegaInterpreter = expression;" in script
    assert "import" not in script
    with pytest.raises(SystemExit, match="not written as"):
        build._interpreter(module.replace("vega-util", "vega-tools"))


def test_what_is_made_already_is_not_made_again() -> None:
    build.build()
    assert build.build() is False


def test_npm_gets_a_home_where_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    assert build.npm_environment(tmp_path)["HOME"] == str(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    assert build.npm_environment(tmp_path)["HOME"] == str(tmp_path / "home")


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "x",
        "//a.example",
        "/\\a.example",
        "/x\\y",
        "https://a.example",
        "/a\n",
        "/é",
        "/sign-in?next=/x",
        "/link?code=x",
    ],
)
def test_where_to_go_after_signing_in_is_a_path_of_this_server(wanted: str | None) -> None:
    assert safe_path(wanted) == "/"


def test_a_path_with_its_query_is_kept() -> None:
    assert safe_path("/runs?state=waiting&model=a%20b") == "/runs?state=waiting&model=a%20b"
    assert sign_in_address("/runs?a=b&c=d") == "/sign-in?next=/runs%3Fa%3Db%26c%3Dd"
    assert sign_in_address("//evil") == "/sign-in"


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=59), "59 days ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(hours=-5), "in 5 hours"),
        (timedelta(seconds=-3), "in a moment"),
    ],
)
def test_times_are_said_as_people_say_them(ago: timedelta, words: str) -> None:
    assert relative(NOW - ago, NOW) == words
    assert in_words(timedelta(days=1)) == "1 day"
