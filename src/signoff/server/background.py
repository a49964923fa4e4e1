"""`signoff up --detach`: start `up` in the background, and come back when it answers."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from pathlib import Path

from signoff.domain.errors import UnavailableError
from signoff.server.state import is_loopback, read_state, refuse_twice, with_port
from signoff.settings import Settings, prepare_home

_READY_WITHIN = 60.0


def up_detached(settings: Settings, host: str, port: int) -> None:
    """Start `up` in the background and return when it answers.

    Raises:
        ConflictError: it is up already.
        UnavailableError: it did not start; the end of its log is in the message.
    """
    is_loopback(host)
    prepare_home(settings)
    refuse_twice(settings)
    _detach(with_port(settings, port), host, port)


def _detach(settings: Settings, host: str, port: int) -> None:
    """Start `up` in the background and return when it answers."""
    log = settings.home / "up.log"
    command = [sys.executable, "-m", "signoff.cli", "up", "--host", host, "--port", str(port)]
    # The link that makes the first administrator is printed there.
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        os.fchmod(output.fileno(), 0o600)
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise UnavailableError(f"signoff did not start; the end of {log} says why:\n{_tail(log)}")
        if read_state(settings) is not None and is_answering(host, port):
            return
        time.sleep(0.05)
    raise UnavailableError(f"signoff did not answer within {_READY_WITHIN:.0f} s.", f"See {log}.")


def is_answering(host: str, port: int) -> bool:
    """Whether a server answers /readyz there with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
