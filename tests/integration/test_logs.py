"""Logs of steps: read in ranges, live while a command runs, whole afterwards, and in no other step's name."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from house import House, made, refused
from signoff.engine.tick import collect_blobs
from signoff.ports import Log, Task

TESTED = """\
steps:
  - {name: test, type: test, inputs: {run: evaluate}}
  - {name: approve, type: approval, inputs: {approvers: ['bob']}}
"""
WORDS = b"0123456789" * 20_000


def start(house: House, *, chunks: int = 1, during: Callable[[str], None] = lambda _: None) -> str:
    """Run a test command that writes `WORDS` in so many writes, and calls `during` after each with the run's id."""

    def evaluate(task: Task, log: Log, should_stop: Callable[[], str | None]) -> int:
        size = len(WORDS) // chunks
        for number in range(chunks):
            log.write(WORDS[number * size : (number + 1) * size])
            during(task.environment["SIGNOFF_RUN_ID"])
        return 0

    house.runner._commands["evaluate"] = evaluate
    content = io.BytesIO()
    tarfile.open(fileobj=content, mode="w:gz").close()
    snapshot = made(house.as_("alice").ask("POST", "/snapshots", content=content.getvalue()))["digest"]
    return house.submit(TESTED, snapshot=snapshot)


def test_a_log_is_read_whole_and_in_ranges(house: House) -> None:
    run_id = start(house)
    whole = house.as_("dave").get(f"/runs/{run_id}/logs/test")
    assert whole.content == WORDS
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert (whole.headers["x-log-size"], whole.headers["x-log-complete"]) == (str(len(WORDS)), "true")
    part = house.as_("dave").get(f"/runs/{run_id}/logs/test", params={"offset": 12_345, "limit": 1000})
    assert part.content == WORDS[12_345:13_345]
    assert part.headers["x-log-complete"] == "false"
    last = house.as_("dave").get(f"/runs/{run_id}/logs/test", params={"offset": len(WORDS) - 3})
    assert (last.content, last.headers["x-log-complete"]) == (b"789", "true")
    beyond = house.as_("dave").get(f"/runs/{run_id}/logs/test", params={"offset": len(WORDS) + 5})
    assert (beyond.content, beyond.headers["x-log-complete"]) == (b"", "true")


def test_a_log_is_followed_while_the_command_runs(house: House) -> None:
    read = bytearray()
    complete = []

    def follow(run_id: str) -> None:
        part = house.as_("dave").get(f"/runs/{run_id}/logs/test", params={"offset": len(read), "limit": 70_001})
        read.extend(part.content)
        complete.append(part.headers["x-log-complete"])

    run_id = start(house, chunks=4, during=follow)
    assert len(read) > 0
    assert bytes(read) == WORDS[: len(read)]
    assert set(complete) == {"false"}
    rest = house.as_("dave").get(f"/runs/{run_id}/logs/test", params={"offset": len(read)})
    assert bytes(read) + rest.content == WORDS
    assert rest.headers["x-log-complete"] == "true"


def test_a_step_that_never_ran_a_command_has_an_empty_log(house: House) -> None:
    run_id = start(house)
    answer = house.as_("dave").get(f"/runs/{run_id}/logs/approve")
    assert (answer.status_code, answer.content, answer.headers["x-log-size"]) == (200, b"", "0")


def test_a_log_of_nothing_is_refused_with_what_there_is(house: House) -> None:
    run_id = start(house)
    words = refused(house.as_("dave").get(f"/runs/{run_id}/logs/deploy"), 404, "not_found")
    assert "no step 'deploy'" in words
    assert "Its steps are test, approve" in words
    refused(house.as_("dave").get(f"/runs/{run_id}/logs/test", params={"attempt": 2}), 404, "not_found")
    refused(house.as_("dave").get("/runs/nothing/logs/test"), 404, "not_found")


@pytest.mark.parametrize("query", [{"offset": -1}, {"limit": 0}, {"offset": "x"}, {"attempt": 0}])
def test_a_range_that_is_none_is_refused(house: House, query: dict[str, str | int]) -> None:
    run_id = start(house)
    refused(house.as_("dave").get(f"/runs/{run_id}/logs/test", params=query), 422, "malformed_request")


def test_the_log_of_a_command_that_failed_is_kept(house: House) -> None:
    def evaluate(task: Task, log: Log, should_stop: Callable[[], str | None]) -> int:
        log.write(b"Traceback: no data\n")
        return 1

    run_id = start(house)
    house.runner._commands["evaluate"] = evaluate
    failed = made(
        house.as_("alice").post(
            "/runs", {"pipeline": TESTED, "model": house.version(), "snapshot": _snapshot_of(house, run_id)}
        )
    )["id"]
    house.work()
    assert house.status(failed) == "errored"
    answer = house.as_("dave").get(f"/runs/{failed}/logs/test")
    assert answer.content == b"Traceback: no data\n"
    assert answer.headers["x-log-complete"] == "true"


def test_the_log_of_a_run_is_kept_when_loose_files_are_collected(house: House) -> None:
    run_id = start(house)
    house.clock.wait(days=100)
    assert collect_blobs(house.machinery) == []
    assert house.as_("dave").get(f"/runs/{run_id}/logs/test").content == WORDS


def _snapshot_of(house: House, run_id: str) -> str:
    with house.database.begin() as tx:
        return str(tx.exec_driver_sql("SELECT snapshot_digest FROM runs WHERE id = %s", (run_id,)).scalar())
