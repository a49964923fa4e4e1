"""Runs a training or test command as a child process of the worker.

Imported by `bootstrap` only. The command runs the pipeline author's code, so it gets its own session, a clean
environment (`workplace`) and limits on time, log, output and memory; and a `guard` process that ends all of it when
the worker says so or dies. `LocalRunner.run` may be called from many threads at once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from signoff.adapters.runner.workplace import Workplace, environment, prepare, short_tmp
from signoff.domain.errors import ConfigurationError, MachineryError
from signoff.ports import Log, Outcome, Task

GUARD = Path(__file__).with_name("guard.py")
CHUNK = 65_536
_NEVER = float("inf")
GUARD_PATIENCE = 15.0
"""Seconds beyond the grace that the guard has to end everything before it is ended itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may use: bytes of log and of output folder, bytes of address space (None: no limit).

    `grace` seconds lie between SIGTERM and SIGKILL. Every `poll` seconds it is asked whether to stop, and every
    `measure` seconds, or more rarely, the output folder is measured. A memory limit counts address space, of which
    numeric libraries reserve far more than they use; that is why there is none by default.
    """

    log: int = 100_000_000
    output: int = 2 * 1024**3
    memory: int | None = None
    grace: float = 5.0
    poll: float = 0.5
    measure: float = 5.0


class LocalRunner:
    """The `Runner` of this machine; `pass_environment` names variables of the worker that commands may see."""

    def __init__(self, limits: Limits | None = None, *, pass_environment: tuple[str, ...] = ()) -> None:
        for name in pass_environment:
            if name.upper().startswith("SIGNOFF_"):
                raise ConfigurationError(f"{name} is signoff's own and may not be passed to commands.")
        self._limits = limits or Limits()
        self._pass_environment = pass_environment

    def run(self, task: Task, log: Log, should_stop: Callable[[], str | None], /) -> Outcome:
        """Run `task` to its end (see `ports.Runner`); an exception from `should_stop` ends the command too.

        Raises:
            MachineryError: the command could not be started, or its log could not be written.
            SnapshotError: its folder could not be unpacked safely.
        """
        if not task.argv:
            raise MachineryError("The command is empty.", "Write it under 'run'.", is_retryable=False)
        place = prepare(task)
        tmp, made = short_tmp(place)
        try:
            with _guarded(task, place, environment(place, task, tmp, self._pass_environment), self._limits) as child:
                return _Watch(task, place, child, log, should_stop, self._limits).until_end()
        finally:
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Child:
    """The guard process, the ends of its three pipes, and what it is called for the reader."""

    process: subprocess.Popen[bytes]
    control: IO[bytes]
    log: int
    status: int
    argv: tuple[str, ...]

    def end(self, *, gently: bool) -> None:
        """Ask the guard to end every process: SIGTERM first when `gently`, else SIGKILL at once."""
        with contextlib.suppress(OSError, ValueError):  # it has ended, or was asked for the last time
            if gently:
                self.control.write(b"t")
            else:
                self.control.close()


@contextlib.contextmanager
def _guarded(task: Task, place: Workplace, variables: dict[str, str], limits: Limits) -> Iterator[_Child]:
    """Start the guard with the command below it; whatever happens inside, nothing of it is left afterwards."""
    status, status_of_guard = os.pipe()
    try:
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(GUARD)),
                *(str(status_of_guard), str(limits.grace), str(limits.memory or 0)),
                *task.argv,
            ],
            cwd=place.project,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=(status_of_guard,),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        os.close(status)
        raise MachineryError(
            f"The command could not be started: {task.argv[0]!r}: {getattr(error, 'strerror', None) or error}.",
            "Look at the command and at the worker's limits on processes and memory.",
        ) from error
    finally:
        os.close(status_of_guard)
    if process.stdin is None or process.stdout is None:  # never with PIPE; for the type checker
        raise AssertionError
    try:
        os.set_blocking(process.stdout.fileno(), False)
        yield _Child(process, process.stdin, process.stdout.fileno(), status, task.argv)
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(GUARD_PATIENCE)
        except subprocess.TimeoutExpired:  # stopped or stuck; its death takes the command with it
            process.kill()
            process.wait()
        process.stdout.close()
        os.close(status)


class _Watch:
    """One command from its start to its end: pumps its log, keeps its limits, ends it when told."""

    def __init__(
        self,
        task: Task,
        place: Workplace,
        child: _Child,
        log: Log,
        should_stop: Callable[[], str | None],
        limits: Limits,
    ) -> None:
        self._place = place
        self._child = child
        self._log = log
        self._should_stop = should_stop
        self._limits = limits
        self._room = limits.log
        self._reason: str | None = None
        self._notes: list[str] = []
        now = time.monotonic()
        self._timeout = task.timeout
        self._deadline = _NEVER if task.timeout is None else now + task.timeout
        self._ask_at = now + limits.poll
        self._measure_at = now + limits.measure
        self._give_up_at = _NEVER

    def until_end(self) -> Outcome:
        """Wait for the guard's report, doing what is due meanwhile."""
        report = b""
        is_running = True
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.log, selectors.EVENT_READ)
            selector.register(self._child.status, selectors.EVENT_READ)
            while is_running:
                due = min(self._ask_at, self._deadline, self._measure_at, self._give_up_at)
                for key, _ in selector.select(max(0.0, due - time.monotonic())):
                    if key.fd == self._child.status:
                        data = os.read(self._child.status, 256)
                        report += data
                        is_running = bool(data)
                    elif not self._pump():
                        selector.unregister(self._child.log)
                self._do_what_is_due(time.monotonic())
        while self._pump():
            pass
        return self._outcome(report)

    def _do_what_is_due(self, now: float) -> None:
        if now >= self._ask_at:
            self._ask_at = now + self._limits.poll
            if word := self._should_stop():
                self._end(word, f"The command was ended: {word}.", gently=True)
        if now >= self._deadline:
            self._deadline = _NEVER
            note = f"The command was ended: it ran longer than its timeout of {self._timeout:g} seconds."
            self._end("timeout", note, gently=True)
        if now >= self._measure_at:
            self._check_output(now)
        if now >= self._give_up_at:
            self._child.process.kill()

    def _end(self, reason: str, note: str, *, gently: bool) -> None:
        """End the command for `reason`; the first one counts, but a harder end may follow a gentle one."""
        if self._reason is None:
            self._reason = reason
            self._notes.append(note)
        elif gently:
            return
        self._give_up_at = time.monotonic() + self._limits.grace + GUARD_PATIENCE
        self._child.end(gently=gently)

    def _pump(self) -> bool:
        """Move what is there from the command to the log; False when there is nothing (more)."""
        try:
            data = os.read(self._child.log, CHUNK)
        except BlockingIOError:
            return False
        if len(data) > self._room:
            size = f"{self._limits.log:,} bytes"
            self._end("output_limit", f"The command was ended: it wrote more than {size} to its log.", gently=False)
        kept = data[: self._room]
        self._room -= len(kept)
        try:
            while kept:
                kept = kept[self._log.write(kept) :]
            if isinstance(self._log, io.IOBase):  # a file of the caller's: others read along
                self._log.flush()
        except OSError as error:
            raise MachineryError(
                f"The log could not be written: {error.strerror}. The command was ended.",
                "Make room on the worker's disk, then retry.",
            ) from error
        return bool(data)

    def _check_output(self, now: float) -> None:
        """End the command when its output folder is over the limit; measuring may take 5 % of the time at most."""
        if self._is_output_too_big():
            size = f"{self._limits.output:,} bytes"
            self._end("output_limit", f"The command was ended: it left more than {size} as output.", gently=False)
        after = time.monotonic()
        self._measure_at = after + max(self._limits.measure, 20 * (after - now))

    def _is_output_too_big(self) -> bool:
        room = self._limits.output
        for parent, _, names in os.walk(self._place.output):
            for name in names:
                with contextlib.suppress(OSError):  # gone meanwhile
                    room -= os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  (much faster than Path)
            if room < 0:
                return True
        return False

    def _outcome(self, report: bytes) -> Outcome:
        """What the guard's report means."""
        said = {word: rest for word, *rest in map(bytes.split, report.splitlines())}
        if b"error" in said:
            raise _not_started(self._child.argv, int(said[b"error"][0]), self._place)
        if b"exit" not in said:
            with contextlib.suppress(ProcessLookupError, KeyError):  # the guard's death killed the command only
                os.killpg(int(said[b"group"][0]), signal.SIGKILL)
            if self._reason is None:
                raise MachineryError(
                    "The process that watches over the command was killed, and the command with it.",
                    "Most often the machine ran out of memory: look at its kernel log, then retry.",
                )
        exit_status, leftovers = map(int, said.get(b"exit", (-signal.SIGKILL, 0)))
        if self._reason is None and exit_status in _ENDED_BY_SIGNAL and (word := self._should_stop()):
            self._reason = word  # whoever stops the worker may have told the command as well
            self._notes.append(f"The command was ended: {word}.")
        if self._reason is None and self._is_output_too_big():
            self._reason = "output_limit"
            self._notes.append(f"The command left more than {self._limits.output:,} bytes as output.")
        if leftovers:
            self._notes.append(f"{leftovers} background process(es) that the command left running were killed.")
        return Outcome(exit_status, self._place.output, self._reason, tuple(self._notes))


_ENDED_BY_SIGNAL = frozenset(
    status for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for status in (-number, 128 + number)
)


def _not_started(argv: tuple[str, ...], number: int, place: Workplace) -> MachineryError:
    """Why the first word of the command could not be executed, and what to do."""
    word = argv[0]
    is_path = "/" in word
    if number == errno.EACCES and not is_path and shutil.which(word, mode=os.F_OK) is None:
        number = errno.ENOENT  # it is nowhere on PATH; a folder there that may not be read makes it look forbidden
    why = f"The command could not be started: {word!r}: {os.strerror(number)}."
    if (place.project / word).is_file() and not is_path:
        hint = f"It is a file of the project: write './{word}', or name its interpreter, as in 'python {word}'."
    elif (place.project / word).is_file():
        hint = f"Make it executable and check its first line, or name its interpreter, as in 'python {word}'."
    else:
        hint = "Check its spelling, and that the worker has it on its PATH."
    return MachineryError(why, hint, is_retryable=False)
