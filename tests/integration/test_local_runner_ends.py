"""Real child processes end: when told, with all that they started, with their worker, and at their limits."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from runner_scene import QUICK, Seen, a_task, all_end, names, never, run, watched  # noqa: F401 - fixtures
from signoff.adapters.runner import local
from signoff.adapters.runner.local import LocalRunner
from signoff.domain.errors import MachineryError
from signoff.ports import Outcome, Task


def is_alive(pid: int) -> bool:
    with watched(pid) as has_ended:
        return not has_ended(0)


DAEMONS = """
import os, subprocess, sys, time
sleeper = ["python", "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"]
pids = [os.getpid(), subprocess.Popen(sleeper).pid, subprocess.Popen(sleeper, start_new_session=True).pid]
read, write = os.pipe()
if os.fork() == 0:  # a daemon by the book: its parents gone, its session and its output its own
    os.setsid()
    if os.fork() == 0:
        os.write(write, str(os.getpid()).encode())
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.closerange(3, 64)
        os.execvp(sleeper[0], sleeper)
    os._exit(0)
os.wait()
print(*pids, os.read(read, 20).decode(), "ready", flush=True)
"""


def pids_in(log: Seen) -> list[int]:
    return [int(word) for word in log.text.split()[:4]]


@pytest.mark.parametrize("how", ["cancelled", "timeout", "exception"])
def test_ending_a_command_ends_every_process_below_it_daemons_included(task: Task, how: str) -> None:
    log = Seen()

    def ask() -> str | None:
        if not log.seen.is_set() or how == "timeout":
            return None
        if how == "exception":
            raise LookupError
        return how

    asked = replace(task, argv=("python", "-c", DAEMONS + "time.sleep(60)"), timeout=1.5 if how == "timeout" else None)
    if how == "exception":
        with pytest.raises(LookupError):
            LocalRunner(QUICK).run(asked, log, ask)
    else:
        assert LocalRunner(QUICK).run(asked, log, ask).reason == how

    assert len(pids_in(log)) == 4
    assert [pid for pid in pids_in(log) if is_alive(pid)] == []


def test_what_a_command_leaves_running_is_killed_and_noted(task: Task) -> None:
    log = Seen()
    outcome = run(task, "python", "-c", DAEMONS, log=log)

    assert (outcome.exit_status, outcome.reason) == (0, None)
    assert outcome.notes == ("3 background process(es) that the command left running were killed.",)
    assert [pid for pid in pids_in(log) if is_alive(pid)] == []


def test_background_processes_that_end_by_themselves_are_waited_for(task: Task) -> None:
    log = Seen()
    outcome = run(task, "sh", "-c", "(sleep 0.2; echo tidied) & exit 0", log=log)

    assert (outcome.notes, log.text) == ((), "tidied\n")


def test_a_command_may_tidy_up_at_sigterm_and_is_killed_after_the_grace(task: Task) -> None:
    log = Seen()
    code = """
import signal, time
def tidy(*_): print("tidying", flush=True)
signal.signal(signal.SIGTERM, tidy)
print("ready", flush=True)
while True: time.sleep(60)
"""
    asked = replace(task, argv=("python", "-c", code))
    outcome = LocalRunner(QUICK).run(asked, log, lambda: "cancelled" if log.seen.is_set() else None)

    assert (outcome.exit_status, outcome.reason) == (-signal.SIGKILL, "cancelled")
    assert log.text == "ready\ntidying\n"


WORKER = """
import sys
from pathlib import Path
from signoff.adapters.runner.local import LocalRunner
from signoff.ports import Task
task = Task("k", 1, 1, ("python", "-c", sys.argv[2]), Path(sys.argv[1]))
LocalRunner().run(task, sys.stdout.buffer, lambda: None)
"""


def test_no_child_outlives_a_killed_worker(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), DAEMONS + "time.sleep(60)"], stdout=subprocess.PIPE
    )
    with worker, contextlib.ExitStack() as stack:
        assert worker.stdout is not None
        pids = [int(word) for word in worker.stdout.readline().split()[:4]]
        waits = [stack.enter_context(watched(pid)) for pid in pids]
        assert not any(has_ended(0) for has_ended in waits)
        worker.kill()
        killed_at = time.monotonic()

        assert all(has_ended(5) for has_ended in waits)
        assert time.monotonic() - killed_at < 2


def test_when_its_guard_is_killed_the_command_dies_and_the_machinery_is_to_blame(task: Task) -> None:
    log = Seen()
    with pytest.raises(MachineryError, match="watches over the command was killed"):
        run(task, "sh", "-c", "sleep 60 & echo $$ $!; kill -9 $PPID; wait", log=log)

    assert len(log.text.split()) == 2
    assert all_end(log.text)


def test_a_guard_that_was_stopped_cannot_keep_a_command_alive(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "GUARD_PATIENCE", 0.3)
    log = Seen()
    outcome = run(task, "sh", "-c", "sleep 60 & echo $$ $!; kill -STOP $PPID; wait", log=log, timeout=0.3)

    assert (outcome.exit_status, outcome.reason) == (-signal.SIGKILL, "timeout")
    assert len(log.text.split()) == 2
    assert all_end(log.text)


def test_a_signal_that_came_with_the_workers_own_stop_is_told_as_that(task: Task) -> None:
    words = iter(["stopped"])
    runner = LocalRunner(replace(QUICK, poll=60))
    outcome = runner.run(replace(task, argv=("sh", "-c", "kill -TERM $$")), Seen(), lambda: next(words))

    assert (outcome.exit_status, outcome.reason) == (-signal.SIGTERM, "stopped")


def test_a_signal_of_its_own_is_no_reason(task: Task) -> None:
    outcome = run(task, "sh", "-c", "kill -SEGV $$")

    assert outcome == Outcome(-signal.SIGSEGV, task.work / "1/output")


def test_too_much_log_ends_the_command_and_the_log_stops_at_the_limit(task: Task) -> None:
    log = Seen()
    outcome = run(task, "sh", "-c", "trap '' TERM; yes", log=log, limits=replace(QUICK, log=100_000))

    assert outcome.reason == "output_limit"
    assert outcome.notes == ("The command was ended: it wrote more than 100,000 bytes to its log.",)
    assert log.getvalue() == b"y\n" * 50_000


@pytest.mark.parametrize("then", ["sleep 60", "true"])
def test_too_much_output_ends_the_command(task: Task, then: str) -> None:
    limits = replace(QUICK, output=1_000_000, measure=0.05 if then != "true" else 60)
    outcome = run(task, "sh", "-c", f"head -c 2000000 /dev/zero > $SIGNOFF_OUTPUT/big; {then}", limits=limits)

    assert outcome.reason == "output_limit"
    assert "more than 1,000,000 bytes as output" in outcome.notes[0]


def test_a_full_disk_under_the_log_ends_the_command_and_is_said(task: Task, tmp_path: Path) -> None:
    code = "import os; open('pid', 'w').write(str(os.getpid()))\nwhile True: print('x' * 1000)"
    with (
        open("/dev/full", "wb", buffering=0) as log,  # noqa: PTH123
        pytest.raises(MachineryError, match="The log could not be written: No space left on device") as caught,
    ):
        run(task, "python", "-c", code, log=log)

    assert "Make room" in caught.value.hint
    assert not is_alive(int((task.work / "1/project/pid").read_text(encoding="utf-8")))


def test_a_work_folder_that_cannot_be_made_is_said(task: Task, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(MachineryError, match="work folder could not be prepared: Not a directory") as caught:
        run(task, "true", work=tmp_path / "file")
    assert caught.value.is_retryable


def test_a_memory_limit_holds_when_set(task: Task) -> None:
    log = Seen()
    code = "x = bytearray(400_000_000); print(len(x))"
    assert run(task, "python", "-c", code, log=log, limits=replace(QUICK, memory=300_000_000)).exit_status == 1
    assert "MemoryError" in log.text
    assert run(task, "python", "-c", code).exit_status == 0


def test_many_commands_run_at_once_without_hearing_each_other(task: Task, tmp_path: Path) -> None:
    runner = LocalRunner(QUICK)

    def work(number: int) -> tuple[str, int]:
        log = Seen()
        asked = replace(task, argv=("sh", "-c", f"echo {number}; exit {number}"), work=tmp_path / str(number))
        status = runner.run(asked, log, never).exit_status
        return log.text, status

    before = len(names(Path("/proc/self/fd")))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(16)))

    assert found == [(f"{number}\n", number) for number in range(16)]
    assert len(names(Path("/proc/self/fd"))) <= before
