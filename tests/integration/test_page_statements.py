"""Pages ask the database so many times, however many runs there are: each is one statement for all it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from house import APPROVE_AND_DEPLOY, House
from page_browser import Browser

MOST = {"/": 14, "/runs": 12, "/models": 20, "/deployments": 20, "/audit": 4, "REVIEW": 22}
"""What each page may ask at most; more is a query for each row, or one that was asked before."""


@contextmanager
def counted(house: House) -> Iterator[list[str]]:
    """Every statement that the block sends."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(" ".join(statement.split())[:100])

    engine = house.desk.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def two_more(house: House, name: str) -> None:
    """A run of a model that is live since, and one of another that waits."""
    for model in (f"{name}-live", f"{name}-waiting"):
        run = house.submit(APPROVE_AND_DEPLOY, house.version(model=model))
        if model.endswith("live"):
            house.decide("bob", run, "approve")


@pytest.mark.parametrize("page", MOST)
def test_a_page_asks_as_often_among_many_runs_as_among_few(house: House, page: str) -> None:
    browser = Browser(house).sign_in("erin")
    path = f"/runs/{house.submit()}/gates/approve" if page == "REVIEW" else page

    def asked() -> list[str]:
        for _ in range(2):  # what a process asks once, it knows then
            assert browser.get(path).status_code == 200
        with counted(house) as sent:
            browser.get(path)
        return sent

    two_more(house, "first")
    few = asked()
    for number in range(3):
        two_more(house, f"more-{number}")
    many = asked()
    assert len(many) == len(few), "\n".join(many)
    assert len(many) <= MOST[page], "\n".join(many)
