"""The deployments page among many: older ones by cursor, and a way back however much was deployed since."""

from __future__ import annotations

import re

import psycopg
import pytest

from house import House
from page_browser import Browser
from signoff.web import deployments_page

MORE = """
INSERT INTO deployments
  (id, key, environment, model, version, digest, model_version, status, kind, run_id, by, started_at)
SELECT 'more-' || n, 'more-' || n, environment, 'other', n::text, digest, model_version, 'replaced', kind, run_id, by,
  started_at + n * interval '1 s'
FROM deployments, generate_series(1, 120) n WHERE status = 'live'
"""


@pytest.fixture
def many(house: House) -> House:
    """Two versions of one model were live in turn, and 120 of another since."""
    for _ in range(2):
        house.decide("bob", house.submit(), "approve")
        house.work()
    with psycopg.connect(house.database_url) as connection:
        connection.execute(MORE)
    return house


def test_every_deployment_is_found_once_by_following_the_list(many: House) -> None:
    bob = Browser(many).sign_in("bob")
    path: str | None = "/deployments"
    seen: list[str] = []
    pages = 0
    while path is not None:
        page = bob.get(path).text
        seen += re.findall(r'<a href="/models/(?:other|fraud-detector)">[^<]+</a><strong>v(\d+)</strong>', page)
        assert ('id="columns"' in page) == (pages == 0)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = following[1].replace("&amp;", "&") if following is not None else None
        pages += 1
    assert pages == 122 // deployments_page._HISTORY + 1
    assert seen == [*map(str, range(120, 0, -1)), "2", "1"]


def test_the_way_back_is_there_however_much_was_deployed_since(many: House) -> None:
    bob = Browser(many).sign_in("bob")
    assert bob.form("/deployments", "/deployments/roll-back").fields["model"] == "fraud-detector"
    assert '<option value="1">v1, live before</option>' in bob.get("/deployments").text
