"""A log of a million lines: read in ranges over REST, a stretch at a time on the page, searched, never held whole."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

from archives import packed_folder
from house import House, made
from page_browser import Browser
from signoff.ports import Log, Task

TESTED = """\
steps:
  - {name: test, type: test, inputs: {run: evaluate}}
  - {name: approve, type: approval, inputs: {approvers: ['bob']}}
"""
LINES = 1_000_000
MOST_AT_ONCE = 60_000_000
"""Bytes that reading may take at a time: the log itself has a third of that, a page much less."""


def line(number: int) -> bytes:
    return b"step %07d <b>\n" % number


def test_a_log_of_a_million_lines_is_read_in_ranges_and_no_page_holds_it_whole(house: House) -> None:
    def evaluate(_task: Task, log: Log, _should_stop: Callable[[], str | None]) -> int:
        for start in range(0, LINES, 20_000):
            log.write(b"".join(line(number) for number in range(start, start + 20_000)))
        return 0

    house.runner._commands["evaluate"] = evaluate
    snapshot = made(house.as_("alice").ask("POST", "/snapshots", content=packed_folder()))["digest"]
    run = house.submit(TESTED, snapshot=snapshot)
    width, dave = len(line(0)), house.as_("dave")
    for number in (0, 1, LINES // 2, LINES - 1):
        part = dave.get(f"/runs/{run}/logs/test?offset={number * width}&limit={width}")
        assert (part.content, int(part.headers["x-log-size"])) == (line(number), LINES * width)
    assert dave.get(f"/runs/{run}/logs/test?limit=4000001").status_code == 422
    assert len(dave.get(f"/runs/{run}/logs/test?offset=0").content) == 1_000_000
    assert dave.get(f"/runs/{run}/logs/test?offset={LINES * width + 1}").content == b""

    browser = Browser(house).sign_in("dave")
    tracemalloc.start()
    try:
        last = browser.get(f"/runs/{run}/logs/test")
        middle = browser.get(f"/runs/{run}/logs/test?offset={LINES // 2 * width}")
        part = browser.get(f"/runs/{run}/logs/test/part?offset={(LINES - 2) * width}")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < MOST_AT_ONCE
    assert "step 0999999 &lt;b&gt;" in last.text
    assert "step 0000001" not in last.text
    assert f"step {LINES // 2 + 1:07d}" in middle.text
    assert max(len(page.content) for page in (last, middle)) < 2_000_000
    assert part.text.count("<li>") == 2
    found = browser.get(f"/runs/{run}/logs/test?q=0999998")
    assert "step 0999998 &lt;b&gt;" in found.text
