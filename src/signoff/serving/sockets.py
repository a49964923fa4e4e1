"""The two sockets that the supervisor owns: the address of its clients, and its control socket."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from signoff.serving.disk import write_whole

BACKLOG = 2048
"""Connections that wait while no child accepts."""
PATIENCE = 3.0
"""Seconds for the last holder of a remembered port to die."""


def bind(folder: Path) -> socket.socket:
    """The listening socket, on the remembered port if it can be had (its last holder may be dying), else a new one."""
    remembered = folder / "port"
    port = int(remembered.read_text()) if remembered.exists() else 0
    until = time.monotonic() + PATIENCE
    while True:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            if time.monotonic() > until:
                port = 0
            time.sleep(0.05)
        else:
            write_whole(remembered, str(listener.getsockname()[1]))
            return listener


def bind_control(folder: Path) -> socket.socket:
    """The control socket, bound through a descriptor because a socket's path may hold 107 bytes only."""
    (folder / "control.sock").unlink(missing_ok=True)
    control = socket.socket(socket.AF_UNIX)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    control.bind(f"/proc/self/fd/{descriptor}/control.sock")
    os.close(descriptor)
    control.listen(16)
    return control
