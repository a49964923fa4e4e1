"""Logs in the browser: a stretch at a time, live, searched and downloaded, however long they are."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable

from house import House, made
from page_browser import Browser, words
from signoff.ports import Log, Task
from signoff.web.logs import STRETCH

TESTED = """\
steps:
  - {name: test, type: test, inputs: {run: evaluate}}
  - {name: approve, type: approval, inputs: {approvers: ['bob']}}
"""
LINES = 40_000


def start(house: House, write: Callable[[Log, str], None]) -> str:
    """A run whose test command writes its log by `write`, which is given the run's id; the run's id."""

    def evaluate(task: Task, log: Log, _should_stop: Callable[[], str | None]) -> int:
        write(log, task.environment["SIGNOFF_RUN_ID"])
        return 0

    house.runner._commands["evaluate"] = evaluate
    content = io.BytesIO()
    tarfile.open(fileobj=content, mode="w:gz").close()
    snapshot = made(house.as_("alice").ask("POST", "/snapshots", content=content.getvalue()))["digest"]
    return house.submit(TESTED, snapshot=snapshot)


def numbered(log: Log, _run: str) -> None:
    log.write(b"".join(b"line %06d\n" % number for number in range(LINES)))


def shown(page: str) -> list[str]:
    return re.findall(r"<li>(line \d+)</li>", page)


def test_a_long_log_is_read_a_stretch_at_a_time_from_its_end_to_its_beginning(house: House) -> None:
    run = start(house, numbered)
    dave = Browser(house).sign_in("dave")
    page = dave.get(f"/runs/{run}/logs/test").text
    seen = shown(page)
    assert seen[-1] == f"line {LINES - 1:06}"
    while earlier := re.search(r'href="([^"]+)">Earlier<', page):
        page = dave.get(earlier[1].replace("&amp;", "&")).text
        stretch = shown(page)
        assert len("\n".join(stretch)) <= STRETCH
        seen = [*stretch, *(line for line in seen if line > stretch[-1])]
    assert seen == [f"line {number:06}" for number in range(LINES)]


def test_a_search_looks_through_all_of_it_and_leads_to_the_place(house: House) -> None:
    run = start(house, numbered)
    dave = Browser(house).sign_in("dave")
    page = dave.get(f"/runs/{run}/logs/test?q=LINE+020777")
    assert "1 line with “LINE 020777”" in words(page)
    found = re.search(r'href="([^"]+)">line 020777<', page.text)
    assert found is not None
    assert shown(dave.get(found[1].replace("&amp;", "&")).text)[0] == "line 020777"
    assert "200 first lines with" in words(dave.get(f"/runs/{run}/logs/test?q=line"))
    assert "No line holds “nothing”" in words(dave.get(f"/runs/{run}/logs/test?q=nothing"))


def test_a_log_that_is_being_written_is_followed_by_whole_lines(house: House) -> None:
    dave = Browser(house).sign_in("dave")
    heard: list[str] = []
    following = 0

    def write(log: Log, run: str) -> None:
        nonlocal following
        for text in (b"one\ntw", b"o\nthree\n", b"four"):
            log.write(text)
            part = dave.get(f"/runs/{run}/logs/test/part?offset={following}")
            assert part.headers["x-log-complete"] == "false"
            following = int(part.headers["x-log-next"])
            heard.append(part.text)

    run = start(house, write)
    last = dave.get(f"/runs/{run}/logs/test/part?offset={following}")
    assert "".join([*heard, last.text]) == "<li>one</li><li>two</li><li>three</li><li>four</li>"
    assert last.headers["x-log-complete"] == "true"


def test_a_log_is_downloaded_byte_for_byte(house: House) -> None:
    run = start(house, numbered)
    answer = Browser(house).sign_in("dave").get(f"/runs/{run}/logs/test/raw")
    assert answer.content == b"".join(b"line %06d\n" % number for number in range(LINES))
    assert answer.headers["content-disposition"].startswith("attachment")
    assert Browser(house).get(f"/runs/{run}/logs/test/raw").status_code == 303
