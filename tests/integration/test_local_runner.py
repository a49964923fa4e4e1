"""Real child processes: what they see of the worker, of the pipeline's folder and of Python, and their log."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner_scene import QUICK, Seen, a_task, names, never, run  # noqa: F401 - fixtures
from signoff.adapters.runner.local import LocalRunner
from signoff.domain.errors import ConfigurationError, MachineryError
from signoff.ports import Task
from signoff.sdk.snapshot import pack


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
