"""The processes of one machine: `serve`, and `up` (server, worker and embedded database together) with `down`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from signoff.bootstrap import configure_logs, read_administration, stop_machine, wire_desk
from signoff.bootstrap.people import current_person
from signoff.bootstrap.wiring import prepare_home
from signoff.domain.errors import ConfigurationError, ConflictError, UnavailableError
from signoff.server.app import create_app
from signoff.settings import DEFAULT_URL, Settings

LOG = structlog.get_logger("signoff.up")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_READY_WITHIN = 60.0
_GOES_WITHIN = 30.0
_OPEN_STREAMS_GET = 3
"""Seconds that open event streams get at shutdown; without a limit they would hold it up for ever."""


def serve(settings: Settings, host: str, port: int) -> None:
    """`signoff serve`: answer requests until SIGTERM or SIGINT."""
    configure_logs(settings.log_format)
    _serve(settings, host, port, on_ready=lambda: None)


def _serve(settings: Settings, host: str, port: int, *, on_ready: Any) -> None:
    check_host(host)
    settings = with_port(settings, port)
    listener = _listen(host, port)
    with wire_desk(settings) as desk:
        read_administration(settings, desk)
        config = uvicorn.Config(
            create_app(desk),
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_OPEN_STREAMS_GET,
            limit_concurrency=2000,
        )
        on_ready()
        LOG.info("listening, on loopback only until people can sign in", url=settings.url)
        uvicorn.Server(config).run(sockets=[listener])


def check_host(host: str) -> None:
    """ConfigurationError for an address that others could reach: there is no sign-in yet."""
    if host not in LOOPBACK:
        raise ConfigurationError(
            f"{host} can be reached by others, and this version has no sign-in yet.",
            "Listen on 127.0.0.1 (the default), and reach it through SSH.",
        )


def with_port(settings: Settings, port: int) -> Settings:
    """`settings` whose address names `port`, unless an administrator chose one."""
    if settings.url != DEFAULT_URL:
        return settings
    return replace(settings, url=f"http://localhost:{port}")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConflictError(
            f"Port {port} cannot be used: {error.strerror}.", f"Choose another one: --port {port + 1}."
        ) from error
    listener.listen(2048)
    return listener


def up(settings: Settings, host: str, port: int, *, detach: bool) -> None:
    """`signoff up`: server and worker on this machine until Ctrl-C or `signoff down`.

    Raises:
        ConflictError: it is up already.
    """
    check_host(host)
    prepare_home(settings)
    settings = with_port(settings, port)
    known = read_state(settings)
    if known is not None and _is_ours(known.get("pid")):
        raise ConflictError(f"signoff is up already at {known['url']}.", "`signoff down` stops it.")
    if known is not None:
        _end(known.get("worker_pid"))
    if detach:
        _detach(settings, host, port)
        return
    configure_logs(settings.log_format)
    workers: list[subprocess.Popen[bytes]] = []

    def start_worker() -> None:
        # Its own process group, so that Ctrl-C reaches it once, through us.
        workers.append(subprocess.Popen([sys.executable, "-m", "signoff.cli", "worker", "-q"], start_new_session=True))
        person = current_person()
        state = {"url": settings.url, "pid": os.getpid(), "worker_pid": workers[0].pid, "person": person}
        fresh = settings.state_file.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(settings.state_file)

    try:
        _serve(settings, host, port, on_ready=start_worker)
    finally:
        settings.state_file.unlink(missing_ok=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(_GOES_WITHIN)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def _detach(settings: Settings, host: str, port: int) -> None:
    """Start `up` in the background and return when it answers."""
    log = settings.home / "up.log"
    command = [sys.executable, "-m", "signoff.cli", "up", "--host", host, "--port", str(port)]
    with log.open("ab") as output:
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
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def down(settings: Settings) -> bool:
    """`signoff down`: stop server, worker, model servers and the embedded database; False when nothing ran."""
    known = read_state(settings)
    was_up = known is not None
    if known is not None:
        _end(known.get("pid"))
        _end(known.get("worker_pid"))
        settings.state_file.unlink(missing_ok=True)
    return stop_machine(settings) or was_up


def read_state(settings: Settings) -> dict[str, Any] | None:
    """What `up` wrote about itself; None when it is not up."""
    with suppress(OSError, ValueError):
        state: dict[str, Any] = json.loads(settings.state_file.read_text())
        return state
    return None


def _is_ours(pid: Any) -> bool:
    """Whether `pid` is a living process of signoff's; a re-used number is not."""
    if not isinstance(pid, int):
        return False
    with suppress(OSError):
        return b"signoff" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _end(pid: Any) -> None:
    """Ask the process to end, and wait until it has."""
    if not _is_ours(pid):
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _GOES_WITHIN
    while _is_ours(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    if _is_ours(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
