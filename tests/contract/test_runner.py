"""What every runner keeps to, held against the double and real child processes."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runner_scene import QUICK, Seen, a_task, names, never  # noqa: F401 - fixtures
from signoff.adapters.runner.local import LocalRunner
from signoff.adapters.runner.memory import Command, MemoryRunner
from signoff.domain.errors import MachineryError, SnapshotError
from signoff.ports import Log, Outcome, Runner, Task

DELIVER = """
import json, os, pathlib, sys
context = json.load(open(os.environ["SIGNOFF_CONTEXT"], encoding="utf-8"))
pathlib.Path(os.environ["SIGNOFF_OUTPUT"], "depth").write_text(str(context["params"]["depth"]))
print("grüße", os.environ["SIGNOFF_STEP"], os.listdir(os.environ["SIGNOFF_OUTPUT"]))
sys.exit(3)
"""


WAIT = "import time; print('ready', flush=True); time.sleep(60)"


def deliver(task: Task, log: Log, should_stop: Callable[[], str | None]) -> int:
    output = Path(task.environment["SIGNOFF_OUTPUT"])
    context = json.loads(Path(task.environment["SIGNOFF_CONTEXT"]).read_text(encoding="utf-8"))
    (output / "depth").write_text(str(context["params"]["depth"]), encoding="utf-8")
    log.write(f"grüße {task.environment['SIGNOFF_STEP']} {names(output)}\n".encode())
    return 3


def wait(task: Task, log: Log, should_stop: Callable[[], str | None]) -> int:
    log.write(b"ready\n")
    pause = threading.Event()
    while not should_stop():
        pause.wait(0.01)
    return -15


@dataclass(frozen=True)
class Rig:
    """A runner, and what the tests' commands are called there."""

    runner: Runner
    commands: dict[str, tuple[str, ...]]


@pytest.fixture(params=["memory", "local"])
def rig(request: pytest.FixtureRequest) -> Rig:
    if request.param == "local":
        return Rig(LocalRunner(QUICK), {"deliver": ("python", "-c", DELIVER), "wait": ("python", "-c", WAIT)})
    commands: dict[str, Command] = {"deliver": deliver, "wait": wait}
    return Rig(MemoryRunner(commands), {name: (name,) for name in commands})


def test_a_command_reads_its_context_logs_delivers_and_ends_with_its_status(rig: Rig, task: Task) -> None:
    log = Seen()
    asked = replace(task, argv=rig.commands["deliver"], context={"params": {"depth": 6}})
    outcome = rig.runner.run(asked, log, never)

    assert outcome == Outcome(3, task.work / "1" / "output")
    assert (outcome.output / "depth").read_text(encoding="utf-8") == "6"
    assert log.text == "grüße train_model ['depth']\n"


def test_a_repeated_try_starts_clean_and_other_tries_are_left_alone(rig: Rig, task: Task) -> None:
    asked = replace(task, argv=rig.commands["deliver"], context={"params": {"depth": 6}})
    first = rig.runner.run(asked, Seen(), never).output
    (first / "rest").write_text("x", encoding="utf-8")
    second = rig.runner.run(replace(asked, try_number=2), Seen(), never).output
    assert (first / "rest").exists()

    assert rig.runner.run(asked, Seen(), never).output == first != second
    assert names(first) == names(second) == ["depth"]


@pytest.mark.parametrize("word", ["cancelled", "stopped"])
def test_a_command_is_ended_when_told_and_the_word_is_the_reason(rig: Rig, task: Task, word: str) -> None:
    log = Seen()
    outcome = rig.runner.run(replace(task, argv=rig.commands["wait"]), log, lambda: word if log.seen.is_set() else None)

    assert (outcome.exit_status, outcome.reason) == (-signal.SIGTERM, word)
    assert outcome.notes == (f"The command was ended: {word}.",)


def test_a_command_is_ended_at_its_timeout(rig: Rig, task: Task) -> None:
    outcome = rig.runner.run(replace(task, argv=rig.commands["wait"], timeout=0.3), Seen(), never)

    assert outcome.reason == "timeout"
    assert "timeout" in outcome.notes[0]


def test_an_unknown_command_is_refused_with_its_word(rig: Rig, task: Task) -> None:
    with pytest.raises(MachineryError, match=r"could not be started: 'trian\.py': No such file") as caught:
        rig.runner.run(replace(task, argv=("trian.py",)), Seen(), never)

    assert caught.value.hint
    assert not caught.value.is_retryable


def test_a_broken_snapshot_is_refused(rig: Rig, task: Task, tmp_path: Path) -> None:
    (tmp_path / "bad.tar.gz").write_bytes(b"no archive")

    with pytest.raises(SnapshotError, match="cannot be unpacked"):
        rig.runner.run(replace(task, argv=rig.commands["wait"], folder=tmp_path / "bad.tar.gz"), Seen(), never)
