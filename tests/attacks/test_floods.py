"""Much of what is cheap to send: discussions without an end, Markdown that is slow to read, figures asked for at once.

And what a stranger hears when the database is away.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from house import House, made, refused
from page_browser import Browser
from signoff.server import create_app
from signoff.service import health, runs
from signoff.service.desk import Desk
from signoff.store.database import Database
from signoff.web import review
from signoff.web.markdown import LONGEST, as_html

SLOW = ("![", "[", "[a](", "[[]](", "*a ", "a**b", "~~a", "&", "<", "> ", "`a``b```", "<!--", "x|y\n", "1. ", "- ")


@pytest.mark.parametrize("piece", SLOW)
def test_no_text_takes_long_to_read(piece: str) -> None:
    """In seconds of this process, so that a busy machine does not count; the slowest took a second before."""
    began = time.process_time()
    assert as_html((piece * LONGEST)[:LONGEST])
    assert time.process_time() - began < 1.0


def test_a_text_of_brackets_is_shown_as_it_is_and_stays_text() -> None:
    assert as_html("[" * 1001 + "<script>") == "<pre>" + "[" * 1001 + "&lt;script&gt;</pre>"
    assert "<a " in as_html("[a](https://example.org) " * 900)


def test_a_discussion_ends_where_a_page_would_not(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = house.submit()
    monkeypatch.setattr(runs, "MOST_COMMENTS", 3)
    monkeypatch.setattr(runs, "MOST_LETTERS", 100)
    alice = house.as_("alice")
    made(alice.post(f"/runs/{run_id}/comments", {"body": "x" * 90}))
    with house.unchanged():
        said = refused(alice.post(f"/runs/{run_id}/comments", {"body": "x" * 11}), 409, "conflict")
    assert said.startswith(f"The discussion of run {run_id} is as long as one may be (1 comments).")
    for _ in range(2):
        made(alice.post(f"/runs/{run_id}/comments", {"body": "x"}))
    refused(alice.post(f"/runs/{run_id}/comments", {"body": "x"}), 409, "conflict")
    browser = Browser(house).sign_in("bob")
    page = f"/runs/{run_id}/gates/approve"
    assert browser.send(page, f"/runs/{run_id}/comments", body="x").status_code == 409


def test_of_a_long_discussion_the_newest_is_read_as_markdown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = house.submit()
    monkeypatch.setattr(review, "_MOST_MARKDOWN", 30)
    for body in ("**one** <b>", "**two** and more words", "**three**"):
        made(house.as_("alice").post(f"/runs/{run_id}/comments", {"body": body}))
    text = Browser(house).sign_in("bob").get(f"/runs/{run_id}/gates/approve").text
    assert "<strong>three</strong>" in text
    assert "<strong>one</strong>" not in text
    assert "<pre>**one** &lt;b&gt;</pre>" in text


def test_figures_are_read_once_however_many_ask(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = health.measure

    def measure(desk: Desk) -> health.Figures:
        asked.append(desk)
        return real(desk)

    monkeypatch.setattr(health, "measure", measure)
    client = TestClient(create_app(house.desk))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get("/metrics").status_code, range(16)))
    assert set(answers) == {200}
    assert len(asked) < 4


@pytest.mark.parametrize("path", ["/readyz", "/api/v1/me", "/metrics", "/sign-in", "/"])
def test_a_stranger_hears_that_the_database_is_away_and_not_where_it_was(
    house: House, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Database("postgresql://hermione@127.0.0.1:1/secret_base", pool_size=1)
    client = TestClient(create_app(replace(house.desk, database=gone)))
    headers = {"Authorization": f"Bearer {house.secret('bob')}", "Cookie": f"signoff={house.secret('bob')}"}
    answer = client.get(path, headers=headers)
    assert [word for word in ("hermione", "127.0.0.1", "secret_base", "port 1") if word in answer.text] == []
    if path == "/readyz":
        assert answer.status_code == 503
        assert "port 1" in caplog.text
    gone.close()
