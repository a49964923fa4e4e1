"""The launcher: a process that has MLflow imported and forks model servers, so that each starts in milliseconds.

Importing MLflow takes seconds; paid once here, neither a swap nor bringing back a dead server waits for it. The
launcher itself loads no model and runs one thread only, which is what makes forking safe. Started by `child.Launcher`;
each message it gets is one byte with four file descriptors: listener, channel, health, log. Linux only, for
`PR_SET_PDEATHSIG`.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys

PR_SET_PDEATHSIG = 1
DESCRIPTORS = 4


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies. It counts from the parent's main thread."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Import what every model server needs, then fork one for each message on the control descriptor."""
    parser = argparse.ArgumentParser(prog="signoff.serving.launcher")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=arguments.control)

    import mlflow.pyfunc.scoring_server  # noqa: F401  (the seconds that forking saves)

    from signoff.serving import model_server

    wakeup, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.collect()
    gc.freeze()
    while True:
        ready, _, _ = select.select([control.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
        _reap(control)
        if control.fileno() in ready:
            data, descriptors, _, _ = socket.recv_fds(control, 16, DESCRIPTORS)
            if not data:
                sys.exit(0)
            launcher = os.getpid()
            if (pid := os.fork()) == 0:
                control.close()
                os.close(wakeup)
                _become_child(launcher, wake)
                model_server.run(*descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            _tell(control, {"pid": pid})


def _become_child(launcher: int, wake: int) -> None:
    """Shed what belongs to the launcher. NumPy's global generator would be the same in every child."""
    die_with_parent(launcher)
    signal.set_wakeup_fd(-1)
    os.close(wake)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    import numpy as np

    np.random.seed()  # noqa: NPY002  (the generator that models share is this one)


def _reap(control: socket.socket) -> None:
    """Collect every child that ended and tell the supervisor how."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(control, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(control: socket.socket, message: dict[str, int]) -> None:
    try:
        control.send(json.dumps(message).encode())
    except OSError:
        sys.exit(0)


if __name__ == "__main__":
    main()
