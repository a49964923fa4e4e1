"""The processes of one machine: `serve`, and `up` (server, worker and embedded database together) with `down`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

import structlog
import uvicorn

from signoff.bootstrap import configure_logs, read_administration, stop_machine, wire_desk
from signoff.bootstrap.people import current_person
from signoff.domain.errors import ConflictError
from signoff.server.app import create_app
from signoff.server.state import check_host, end, read_state, refuse_twice, with_port
from signoff.settings import Settings, prepare_home

LOG = structlog.get_logger("signoff.up")
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


def up(settings: Settings, host: str, port: int) -> None:
    """`signoff up`: server and worker on this machine until Ctrl-C or `signoff down`.

    Raises:
        ConflictError: it is up already.
    """
    check_host(host)
    prepare_home(settings)
    settings = with_port(settings, port)
    refuse_twice(settings)
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


def down(settings: Settings) -> bool:
    """`signoff down`: stop server, worker, model servers and the embedded database; False when nothing ran."""
    known = read_state(settings)
    was_up = known is not None
    if known is not None:
        end(known.get("pid"))
        end(known.get("worker_pid"))
        settings.state_file.unlink(missing_ok=True)
    return stop_machine(settings) or was_up
