"""The processes of one machine: `serve`, and `up` (server, worker and embedded database together) with `down`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from types import FrameType
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from signoff.bootstrap import configure_logs, read_administration, stop_machine, wire_desk
from signoff.bootstrap.people import check_identity, current_person, first_link
from signoff.domain.errors import ConflictError
from signoff.server.app import create_app
from signoff.server.protocol import GuardedProtocol
from signoff.server.state import end, is_loopback, read_state, refuse_twice, with_port
from signoff.service.desk import Desk
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
    is_local = is_loopback(host)
    settings = with_port(settings, port)
    listener = _listen(host, port)
    with closing(listener), wire_desk(settings) as desk:
        if not is_local:
            check_identity(desk, host)
        read_administration(settings, desk, is_local=is_local)
        config = listening(create_app(desk), settings)
        on_ready()
        LOG.info("listening", url=settings.url, host=host, reached_by="this machine only" if is_local else "others")
        _show_first_link(desk)
        uvicorn.Server(config).run(sockets=[listener])


def listening(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How `app` is served: with limits to size and time, and no belief in headers but those of trusted proxies."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=GuardedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_OPEN_STREAMS_GET,
        limit_concurrency=2000,
        # The library would believe any caller on loopback.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
    )


def _show_first_link(desk: Desk) -> None:
    """Print the link that makes the first administrator, while none can sign in. Printed, never logged."""
    link = first_link(desk)
    if link is not None:
        who = f"lets {link.link.person} sign in as administrator" if link.link.person else "makes an administrator"
        until = f"{link.link.expires_at:%Y-%m-%d %H:%M} UTC"
        print(  # noqa: T201 - for whoever starts the server; a log would keep it
            f"Nobody can sign in with a browser yet. This link {who}; it works once, until {until}:\n  {link.url}",
            file=sys.stderr,
            flush=True,
        )


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
    is_loopback(host)
    prepare_home(settings)
    settings = with_port(settings, port)
    refuse_twice(settings)
    configure_logs(settings.log_format)
    workers: list[subprocess.Popen[bytes]] = []
    # uvicorn sends itself the signal once more when it has stopped, which would end us before the worker is.
    signal.signal(signal.SIGTERM, _leave)

    def start_worker() -> None:
        # Its own process group, so that Ctrl-C reaches it once, through us.
        command = [sys.executable, "-m", "signoff.cli", "worker", "-q"]
        env = {**os.environ, "SIGNOFF_URL": settings.url}  # its mails link to the port that was chosen here
        workers.append(subprocess.Popen(command, start_new_session=True, env=env))
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


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler is given
    raise SystemExit(0)


def down(settings: Settings) -> bool:
    """`signoff down`: stop server, worker, model servers and the embedded database; False when nothing ran."""
    known = read_state(settings)
    was_up = known is not None
    if known is not None:
        end(known.get("pid"))
        end(known.get("worker_pid"))
        settings.state_file.unlink(missing_ok=True)
    return stop_machine(settings) or was_up
