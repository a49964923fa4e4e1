"""What every runner keeps to, held against the double and real child processes; then what only processes can show."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from signoff.adapters.runner import local
from signoff.adapters.runner import snapshot as unpacking
from signoff.adapters.runner.local import Limits, LocalRunner
from signoff.adapters.runner.memory import Command, MemoryRunner
from signoff.domain.errors import ConfigurationError, MachineryError, SnapshotError
from signoff.ports import Log, Outcome, Runner, Task
from signoff.sdk.snapshot import pack

QUICK = Limits(poll=0.05, measure=0.05, grace=0.3)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def never() -> None:
    """Nobody wants it to stop."""


class Seen(io.BytesIO):
    """A log that can be awaited: `seen` is set once `awaited` was written to it."""

    def __init__(self, awaited: bytes = b"ready") -> None:
        super().__init__()
        self.seen = threading.Event()
        self._awaited = awaited

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        count = super().write(data)
        if self._awaited in self.getvalue():
            self.seen.set()
        return count

    @property
    def text(self) -> str:
        return self.getvalue().decode()


# --- every runner ---------------------------------------------------------------------------------------------------

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


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task("run/train_model/1", 1, 1, ("true",), tmp_path / "work", environment={"SIGNOFF_STEP": "train_model"})


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


# --- child processes ------------------------------------------------------------------------------------------------


def run(task: Task, *argv: str, log: Log | None = None, limits: Limits = QUICK, **changes: object) -> Outcome:
    asked = replace(task, argv=argv, **changes)  # type: ignore[arg-type]
    return LocalRunner(limits).run(asked, Seen() if log is None else log, never)


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Callable[[float], bool]]:
    """Calling the value waits so many seconds at most for process `pid` to end; whether it did."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        yield lambda _seconds: True
        return
    try:
        yield lambda seconds: bool(select.select([number], [], [], seconds)[0])
    finally:
        os.close(number)


def is_alive(pid: int) -> bool:
    with watched(pid) as has_ended:
        return not has_ended(0)


def seen_environment(task: Task, runner: LocalRunner | None = None) -> dict[str, str]:
    log = Seen()
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    (runner or LocalRunner(QUICK)).run(replace(task, argv=("python", "-c", code)), log, never)
    seen: dict[str, str] = json.loads(log.text)
    return seen


def test_nothing_of_the_workers_environment_gets_through(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGNOFF_DATABASE_URL", "SIGNOFF_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    seen = seen_environment(task)

    assert "secret" not in "".join(seen.values())
    place = task.work / "1"
    assert seen.pop("PATH").startswith(f"{Path(sys.executable).parent}:")
    assert seen == {
        "HOME": str(place / "home"),
        "TMPDIR": seen["TMPDIR"],
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "SIGNOFF_STEP": "train_model",
        "SIGNOFF_OUTPUT": str(place / "output"),
        "SIGNOFF_CONTEXT": str(place / "context.json"),
    }


def test_what_the_administrator_names_gets_through_but_nothing_of_signoffs_own(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    runner = LocalRunner(QUICK, pass_environment=("CUDA_VISIBLE_DEVICES", "NOT_SET"))

    seen = seen_environment(task, runner)
    assert seen["CUDA_VISIBLE_DEVICES"] == "1"
    assert "NOT_SET" not in seen
    with pytest.raises(ConfigurationError, match="SIGNOFF_DATABASE_URL"):
        LocalRunner(pass_environment=("SIGNOFF_DATABASE_URL",))


def test_no_open_file_of_the_worker_reaches_the_command(task: Task, tmp_path: Path) -> None:
    log = Seen()
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        run(task, "python", "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))", log=log)

    assert log.text == "['0', '1', '2', '3']\n"  # the fourth is the listing itself


def test_a_long_work_folder_still_has_room_for_sockets_in_tmpdir(task: Task, tmp_path: Path) -> None:
    code = """
import os, tempfile, multiprocessing.connection as c
with c.Listener(family="AF_UNIX") as listener: print("listening")
open(os.path.join(tempfile.gettempdir(), "mark"), "w").close()
"""
    work = tmp_path / ("long" * 20)
    log = Seen()

    assert run(task, "python", "-c", code, log=log, work=work).exit_status == 0
    assert log.text == "listening\n"
    assert (work / "1/tmp/mark").exists()


def test_a_python_elsewhere_is_the_one_on_path_and_keeps_its_environment(task: Task, tmp_path: Path) -> None:
    other = tmp_path / "other env"
    (other / "bin").mkdir(parents=True)
    (other / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (other / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n", encoding="utf-8")
    code = "import sys; print(sys.prefix)"
    for python in (str(other), str(other / "bin/python")):
        for word in ("python", "python3"):
            log = Seen()
            run(task, word, "-c", code, log=log, python=python)
            assert log.text == f"{other}\n"


def test_a_python_version_is_found_on_path(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "versions" / "python3.77"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "three point 77: $1"\n', encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    log = Seen()
    run(task, "python", "train.py", log=log, python="3.77")

    assert log.text == "three point 77: train.py\n"


@pytest.mark.parametrize("python", ["3.99", "/nowhere/python", "relative/python"])
def test_a_python_that_the_worker_lacks_is_said(task: Task, python: str) -> None:
    with pytest.raises(MachineryError, match=f"no python '{python}'") as caught:
        run(task, "python", python=python)

    assert not caught.value.is_retryable


def test_the_command_works_in_a_copy_of_the_packed_folder(task: Task, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "empty").mkdir()
    (project / "src/train.sh").write_text("#!/bin/sh\ncat ../data/link\nrm -r ../data\n", encoding="utf-8")
    (project / "src/train.sh").chmod(0o755)
    (project / "data").mkdir()
    (project / "data/a").write_text("contents\n", encoding="utf-8")
    (project / "data/link").symlink_to("a")
    (tmp_path / "folder.tar.gz").write_bytes(pack(project).data)
    log = Seen()
    for _ in range(2):
        outcome = run(task, "sh", "-c", "cd src && ./train.sh", log=log, folder=tmp_path / "folder.tar.gz")
        assert outcome.exit_status == 0

    assert log.text == "contents\ncontents\n"
    assert (task.work / "1/project/empty").is_dir()
    assert (project / "data/a").exists()


def test_read_only_folders_of_an_earlier_try_are_no_obstacle(task: Task) -> None:
    run(task, "sh", "-c", "mkdir -p $SIGNOFF_OUTPUT/a/b; touch $SIGNOFF_OUTPUT/a/b/c; chmod -R a-w $SIGNOFF_OUTPUT")

    assert names(run(task, "true").output) == []


@pytest.mark.parametrize(
    ("argv", "said", "hint"),
    [
        (("./train.py",), "'./train.py': Permission denied", "Make it executable"),
        (("train.py",), "'train.py': No such file or directory", "write './train.py'"),
        (("./folder",), "'./folder': Permission denied", "Check its spelling"),
        (("py\0thon",), "'py\\x00thon': embedded null byte", "Look at the command"),
        ((), "The command is empty", "under 'run'"),
    ],
)
def test_a_command_that_cannot_start_says_which_word_and_what_to_do(
    task: Task, tmp_path: Path, argv: tuple[str, ...], said: str, hint: str
) -> None:
    (tmp_path / "project/folder").mkdir(parents=True)
    (tmp_path / "project/train.py").write_text("print()\n", encoding="utf-8")
    (tmp_path / "project/folder/x").write_text("", encoding="utf-8")
    (tmp_path / "folder.tar.gz").write_bytes(pack(tmp_path / "project").data)

    with pytest.raises(MachineryError) as caught:
        run(task, *argv, folder=tmp_path / "folder.tar.gz")

    assert said in caught.value.what
    assert hint in caught.value.hint


def test_output_and_errors_arrive_in_one_live_log(task: Task) -> None:
    log = Seen(b"second")
    is_live: list[bool] = []

    def ask() -> str | None:
        is_live.append(log.seen.is_set())
        return "cancelled" if log.seen.is_set() else None

    code = "import sys, time; print('first'); print('second ☃', file=sys.stderr); time.sleep(60)"
    LocalRunner(QUICK).run(replace(task, argv=("python", "-c", code)), log, ask)

    assert is_live[-1]
    assert log.text == "first\nsecond ☃\n"


def test_a_log_that_is_a_file_can_be_read_while_it_is_written(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "log"
    asked = replace(task, argv=("sh", "-c", "echo ready; sleep 60"), timeout=20)
    with path.open("wb") as log:
        outcome = LocalRunner(QUICK).run(asked, log, lambda: "cancelled" if path.stat().st_size else None)

    assert outcome.reason == "cancelled"


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


def all_end(pids: str) -> bool:
    with contextlib.ExitStack() as stack:
        return all(stack.enter_context(watched(int(pid)))(5) for pid in pids.split())


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


# --- hostile snapshots ----------------------------------------------------------------------------------------------


def archive(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "hostile.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, data


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([member("../escaped", data=b"x")], "outside its folder"),
        ([member("a/../../escaped", data=b"x")], "outside its folder"),
        ([member("/tmp/escaped", data=b"x")], "outside its folder"),  # noqa: S108
        ([member("out", tarfile.SYMTYPE, "../..")], "cannot be unpacked"),
        ([member("out", tarfile.SYMTYPE, "/etc/passwd")], "cannot be unpacked"),
        ([member("here", tarfile.SYMTYPE, "."), member("here/a", data=b"x")], "through a link"),
        ([member("a", tarfile.SYMTYPE, "b"), member("a", data=b"x")], "through a link"),
        ([member("hard", tarfile.LNKTYPE, "/etc/passwd")], "neither a file, a folder nor a link"),
        ([member("pipe", tarfile.FIFOTYPE)], "neither a file, a folder nor a link"),
        ([member("device", tarfile.CHRTYPE)], "neither a file, a folder nor a link"),
    ],
)
def test_a_snapshot_that_reaches_outside_is_refused(
    task: Task, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], said: str
) -> None:
    with pytest.raises(SnapshotError, match=said):
        run(task, "true", folder=archive(tmp_path, *members))

    assert not list(tmp_path.rglob("escaped"))
    assert not Path("/tmp/escaped").exists()  # noqa: S108


def test_a_set_user_id_bit_does_not_survive(task: Task, tmp_path: Path) -> None:
    info, data = member("tool", data=b"#!/bin/sh\n")
    info.mode = 0o6777
    run(task, "true", folder=archive(tmp_path, (info, data)))

    assert (task.work / "1/project/tool").stat().st_mode & 0o7777 == 0o755


def test_a_zip_bomb_is_refused_before_it_fills_the_disk(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1_000_000)
    one = archive(tmp_path, member("zeros", data=bytes(20_000_000)))
    with pytest.raises(SnapshotError, match="grows too big"):
        run(task, "true", folder=one)

    many = archive(tmp_path, *(member(f"zeros{n}", data=bytes(500_000)) for n in range(40)))
    with pytest.raises(SnapshotError, match="grows too big"):
        run(task, "true", folder=many)
    unpacked = sum(path.stat().st_size for path in (task.work / "1/project").iterdir())
    assert unpacked < 10_000_000


def test_a_bomb_in_a_header_is_refused(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1_000_000)
    path = tmp_path / "header.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 20_000_000}) as tar:
        tar.addfile(tarfile.TarInfo("a"))

    with pytest.raises(SnapshotError, match="grows too big"):
        run(task, "true", folder=path)


def test_too_many_members_are_refused(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 10)

    with pytest.raises(SnapshotError, match="more than 10 files"):
        run(task, "true", folder=archive(tmp_path, *(member(str(n)) for n in range(11))))


def test_a_truncated_snapshot_is_refused(task: Task, tmp_path: Path) -> None:
    whole = archive(tmp_path, member("a", data=os.urandom(100_000))).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(SnapshotError, match="cannot be unpacked"):
        run(task, "true", folder=tmp_path / "cut.tar.gz")
