"""What is known of a running `signoff up` without being it: its file, its processes, and where it may listen.

Imports nothing heavy, because `signoff up --detach` and `down` need no server of their own.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from signoff.domain.errors import ConfigurationError, ConflictError
from signoff.settings import DEFAULT_URL, Settings

_GOES_WITHIN = 30.0


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches a server that listens on `host`.

    Raises:
        ConfigurationError: it is no address.
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError as error:
        raise ConfigurationError(
            f"{host!r} is not an address to listen on.", "Say 127.0.0.1 (the default), 0.0.0.0, or an address of yours."
        ) from error


def with_port(settings: Settings, port: int) -> Settings:
    """`settings` whose address names `port`, unless an administrator chose one."""
    if settings.url != DEFAULT_URL:
        return settings
    return replace(settings, url=f"http://localhost:{port}")


def refuse_twice(settings: Settings) -> None:
    """Return when signoff is not up already; what a killed one left running is ended.

    Raises:
        ConflictError: it is up.
    """
    known = read_state(settings)
    if known is not None and is_ours(known.get("pid")):
        raise ConflictError(f"signoff is up already at {known['url']}.", "`signoff down` stops it.")
    if known is not None:
        end(known.get("worker_pid"))


def read_state(settings: Settings) -> dict[str, Any] | None:
    """What `up` wrote about itself; None when it is not up."""
    with suppress(OSError, ValueError):
        state: dict[str, Any] = json.loads(settings.state_file.read_text())
        return state
    return None


def is_ours(pid: Any) -> bool:
    """Whether `pid` is a living process of signoff's; a re-used number is not."""
    if not isinstance(pid, int):
        return False
    with suppress(OSError):
        return b"signoff" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def end(pid: Any) -> None:
    """Ask the process to end, and wait until it has."""
    if not is_ours(pid):
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _GOES_WITHIN
    while is_ours(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    if is_ours(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
