"""Every page travels light, has a title of its own, and a refusal names its request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from house import House
from page_browser import Browser, words
from signoff.web.static_files import FOLDER, shelf

MOST = 150_000
"""Bytes of a page with everything it loads before any chart, compressed as they travel."""
LONGEST = 200
"""Lines of a stylesheet or script of our own."""


def paths(house: House) -> list[str]:
    """A page of each kind, for an administrator."""
    run = house.submit()
    places = ["/", "/runs", "/models", "/models/fraud-detector", "/deployments", "/audit", "/pipelines/validate"]
    places += ["/settings", "/settings/environments", "/settings/notifications", "/account"]
    return [*places, f"/runs/{run}", f"/runs/{run}/gates/approve", "/nothing"]


def test_every_page_is_light_and_has_a_title_of_its_own(house: House) -> None:
    erin = Browser(house).sign_in("erin")
    titles: dict[str, str] = {}
    for path in paths(house):
        page = erin.get(path, headers={"Accept-Encoding": "gzip"})
        names = {name.partition("#")[0] for name in re.findall(r'(?:src|href)="/static/[0-9a-f]+/([^"]+)"', page.text)}
        assert {"app.css", "vendor/tabler.min.css", "vendor/inter.woff2", "app.js"} <= names
        served = [shelf().serve(name, "br, gzip") for name in names]
        weight = int(page.headers["content-length"]) + sum(len(found[0]) for found in served if found is not None)
        assert weight < MOST, f"{path} weighs {weight}"
        title = re.search(r"<title>(.+) · signoff</title>", page.text)
        assert title is not None, path
        assert titles.setdefault(title[1], path) == path, f"{path} is called as {titles[title[1]]} is"


@pytest.mark.parametrize("path", ["/runs/none", "/models/none", "/nothing", "/runs?state=nothing", "/audit?cursor=x"])
def test_a_refusal_says_what_to_do_and_which_request_it_was(house: House, path: str) -> None:
    page = Browser(house).sign_in("erin").get(path)
    assert page.status_code in {404, 422}
    found = re.search(r"request id ([0-9a-f]{16})", words(page))
    assert found is not None
    assert page.headers["x-request-id"] == found[1]
    assert re.search(r"<p>.{20,}</p>", page.text), "it says what happened, not what to do"


@pytest.mark.parametrize("file", sorted([*FOLDER.glob("*.css"), *FOLDER.glob("*.js")]), ids=lambda file: file.name)
def test_our_own_styles_and_scripts_stay_small(file: Path) -> None:
    assert len(file.read_text().splitlines()) < LONGEST
