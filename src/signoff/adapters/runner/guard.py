"""A small process between the worker and a command, so that no child outlives its worker.

Run as a script (``python -I -S guard.py STATUS_FD GRACE MEMORY COMMAND...``) by `local`; standard library only and as
little of it as possible, because its start is part of every step's time. It owns the command from the outside:

- Its standard input is a pipe whose other end only the worker holds. A ``t`` on it asks for a gentle end (SIGTERM,
  then SIGKILL after GRACE seconds); when it closes, because the worker wants that or died (SIGKILL included),
  everything is killed at once.
- It is a *child subreaper* (Linux), so a process that made itself a daemon becomes its child, is found and is killed.
- The command dies with it: PR_SET_PDEATHSIG fires when the *thread* that forked ends, and this process has only one.

On STATUS_FD it writes, a line each: ``group ID``, the command's process group; ``error ERRNO`` when the command could
not be started; ``exit STATUS LEFTOVERS`` when the last process is gone (STATUS negative: killed by that signal;
LEFTOVERS: how many had to be killed after the command).
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LINGER = 2.0
"""Seconds that background processes have to end by themselves after the command (resource trackers clean up then)."""
NOBODY = -1
GIVE_UP = 10.0
"""Seconds of killing after which a process that will not die (stuck in the kernel) is left behind."""


def main(status: int, grace: float, memory: int, argv: list[str]) -> None:
    """Start the command, wait for the last of its processes, report."""
    os.set_inheritable(status, False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # ends with its worker or its command, never before them
    prctl = _prctl()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    guard = os.getpid()
    command = os.fork()
    if command == 0:
        _become(argv, status, memory, guard, prctl)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # the log ends when the last process that writes to it does
    os.dup2(null, 2)
    exit_status, leftovers = _watch(command, wake, grace)
    os.write(status, f"exit {exit_status} {leftovers}\n".encode())


def _become(argv: list[str], status: int, memory: int, guard: int, prctl: Callable[[int, int], object]) -> NoReturn:
    """Turn this forked process into the command, in its own session; never returns."""
    try:
        os.setsid()
        # Said by the child, before it can do anything: a command that kills its guard must still be found.
        os.write(status, f"group {os.getpid()}\n".encode())
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(127)
        signal.set_wakeup_fd(-1)
        for number in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGCHLD", "SIGPIPE", "SIGXFSZ"):
            signal.signal(getattr(signal, number), signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if memory:
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        os.execvp(argv[0], argv)  # noqa: S606  # nosec B606
    except OSError as error:
        os.write(status, f"error {error.errno}\n".encode())
    finally:
        os._exit(127)


def _watch(command: int, wake: int, grace: float) -> tuple[int, int]:
    """Wait until no process is left; the command's exit status, and how many outlived it and were killed."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(wake, select.POLLIN)
    exit_status: int | None = None
    is_asked = False
    killed: set[int] = set()
    kill_at = give_up_at = float("inf")
    while True:
        ended = _reap()
        now = time.monotonic()
        if command in ended:
            exit_status = ended[command]
            kill_at = min(kill_at, now + LINGER)
        if NOBODY in ended or now >= give_up_at:
            return -signal.SIGKILL if exit_status is None else exit_status, 0 if is_asked else len(killed)
        if now >= kill_at:
            killed |= _signal_all(command, signal.SIGKILL)
            give_up_at = min(give_up_at, now + GIVE_UP)
            kill_at = now + 0.02  # again: a process may have forked in between
        for fd, _ in poll.poll(None if kill_at == float("inf") else max(0.0, kill_at - now) * 1000 + 1):
            if fd == wake:
                os.read(wake, 4096)
                continue
            is_asked = True
            if os.read(0, 64):
                _signal_all(command, signal.SIGTERM)
                kill_at = min(kill_at, time.monotonic() + grace)
            else:
                poll.unregister(0)
                kill_at = 0.0


def _reap() -> dict[int, int]:
    """Exit statuses of the processes that ended since the last call; `NOBODY` is among them when none is left."""
    ended: dict[int, int] = {}
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    except ChildProcessError:
        ended[NOBODY] = 0
    return ended


def _signal_all(command: int, number: signal.Signals) -> set[int]:
    """Send `number` to every process below this one; returns their ids."""
    pids = _descendants()
    for pid in pids or {-command}:  # without /proc at least the command's own group
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue
    return pids


def _descendants() -> set[int]:
    """Every process whose chain of parents leads here; empty where there is no ``/proc``."""
    children: dict[int, list[int]] = {}
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  (pathlib is slow to start)
    except OSError:
        return set()
    for name in names:
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields and fields[0] != b"Z":
            children.setdefault(int(fields[1]), []).append(int(name))
    found: set[int] = set()
    ahead = [os.getpid()]
    while ahead:
        for child in children.get(ahead.pop(), ()):
            if child not in found:
                found.add(child)
                ahead.append(child)
    return found


def _prctl() -> Callable[[int, int], object]:
    """Linux's prctl(option, value), or nothing elsewhere."""
    if not sys.platform.startswith("linux"):
        return lambda _option, _value: None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda option, value: prctl(option, ctypes.c_ulong(value), 0, 0, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    os._exit(0)  # tidying up an interpreter takes milliseconds that every step would pay
