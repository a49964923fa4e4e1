"""The control socket of a supervisor, and starting and stopping one. For `server` only.

The protocol is documented in `signoff.serving.supervisor`, which runs in its own process and is never imported here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from signoff.domain.errors import DigestMismatchError, MachineryError, UnavailableError, UnhealthyError

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""All that model servers see of this process's environment: it may hold secrets, and they run model code."""
START_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0


class NotRunningError(UnavailableError):
    """No supervisor answers in that folder."""


class Control:
    """One connection to a supervisor's control socket; closing it gives up what was prepared."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)  # a socket's own path may hold 107 bytes only
            try:
                self._socket.connect(f"/proc/self/fd/{descriptor}/control.sock")
            finally:
                os.close(descriptor)
        except OSError as error:
            self._socket.close()
            raise NotRunningError(f"No model server runs in {folder}.", "Deploy the version again.") from error
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The answer to one command, or the refusal in it."""
        try:
            self._socket.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            line = self._lines.readline()
        except OSError as error:
            raise self._silent(error) from error
        if not line:
            raise self._silent("it closed the connection")
        answer: dict[str, Any] = json.loads(line)
        if "error" not in answer:
            return answer
        what, hint = answer["what"], answer["hint"]
        match answer["error"]:
            case "digest_mismatch":
                raise DigestMismatchError(what, hint)
            case "unhealthy":
                raise UnhealthyError(what, hint)
            case "unavailable":
                raise UnavailableError(what, hint)
            case _:
                raise MachineryError(what, hint or f"See server.log in {self._folder}.")

    def _silent(self, why: object) -> UnavailableError:
        return UnavailableError(
            f"The model server's supervisor did not answer: {why}.",
            f"See server.log in {self._folder}; then try again.",
        )


def start_supervisor(folder: Path) -> None:
    """Start the folder's supervisor unless it runs; it outlives this process and answers when this returns."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [sys.executable, "-P", "-m", "signoff.serving.supervisor", "--folder", str(folder), "--detach"]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    until = time.monotonic() + START_TIMEOUT
    while not _answers(folder):
        try:
            done = subprocess.run(
                argv,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=START_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MachineryError(f"The model server's supervisor could not be started: {error}.") from error
        if done.returncode != 0 or time.monotonic() > until:
            said = done.stderr.decode(errors="replace").strip()
            raise MachineryError("The model server's supervisor could not be started.", said[-1000:])
        time.sleep(0.02)  # somebody else may be starting it at this moment


def _answers(folder: Path) -> bool:
    with contextlib.suppress(UnavailableError), Control(folder, 5) as control:
        control.ask("status")
        return True
    return False


def stop_supervisors(sockets: Iterable[Path]) -> int:
    """Stop the supervisors behind these control sockets and what they serve; returns how many there were."""
    stopped = []
    for path in sorted(sockets):
        with contextlib.suppress(UnavailableError), Control(path.parent, 5) as control:
            control.ask("stop")
            stopped.append(path.with_name("lock"))
    for lock in stopped:
        _wait_for(lock)
    return len(stopped)


def _wait_for(path: Path) -> None:
    """Return when no supervisor holds the lock any more."""
    until = time.monotonic() + STOP_TIMEOUT
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise UnavailableError(
                        f"The model server in {path.parent} did not stop.", "See server.log there."
                    ) from None
                time.sleep(0.02)
            else:
                return
