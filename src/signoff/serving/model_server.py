"""The model server: one process that verifies one version's bytes, loads them and answers for them.

`launcher` forks it, `child.Child` commands it through its channel, in JSON lines: first what to serve, then ``accept``,
``drain`` or ``stop``. It answers `{}` for done or `{"error", "what", "hint"}`. Model code runs here and nowhere else.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import uvicorn
import uvloop

from signoff.domain.errors import DigestMismatchError, UnsafeModelError
from signoff.serving.served import Served

KEEP_ALIVE = 10
"""Seconds after which an idle connection is closed, in ordinary times and in a drain alike: so a swap closes nothing
that would have stayed open, and draining ends by itself."""
STOP_GRACE = 4


def run(listener: int, channel: int, health: int, output: int) -> NoReturn:
    """Be the model server on these four descriptors, to the end of the process."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    status = 1
    try:
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        faulthandler.enable()
        orders = socket.socket(fileno=channel)
        served, folder = _first_order(orders)
        try:
            application = _load(served, folder)
        except (DigestMismatchError, UnsafeModelError) as error:
            _answer(orders, {"error": "digest_mismatch", "what": error.what, "hint": error.hint})
        except BaseException as error:  # noqa: BLE001  (a model may raise anything, SystemExit too)
            reason = _reason(error)
            traceback.print_exception(reason)
            sys.stderr.flush()
            what = f"{served.label} could not be loaded: {type(reason).__name__}: {reason}"
            _answer(orders, {"error": "unhealthy", "what": what[:2000]})
        else:
            _answer(orders, {})
            server = ModelServer(application)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(server.serve(orders, socket.socket(fileno=listener), socket.socket(fileno=health)))
            status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)


def _first_order(orders: socket.socket) -> tuple[Served, Path]:
    """What to serve, read byte by byte so that nothing of a later order is swallowed."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = orders.recv(1)
        if not byte:
            os._exit(0)
        line += byte
    order = json.loads(line)
    return Served(**order["served"]), Path(order["folder"])


def _answer(orders: socket.socket, message: dict[str, Any]) -> None:
    orders.sendall(json.dumps(message).encode() + b"\n")


def _load(served: Served, folder: Path) -> Any:
    """The application for verified bytes, its example predicted once.

    Raises:
        DigestMismatchError: the bytes are not the approved ones. Nothing of them was run.
    """
    import mlflow.pyfunc

    from signoff.proof.manifest import verify
    from signoff.serving.app import application

    verify(folder, served.digest)
    sys.dont_write_bytecode = True  # a cache beside the model's code would change its digest
    model = mlflow.pyfunc.load_model(str(folder))
    return application(model, served, folder)


def _reason(error: BaseException) -> BaseException:
    """What really went wrong: MLflow hides a model's own exception behind one that only says that there was one."""
    from mlflow.exceptions import MlflowException

    return error.__context__ if isinstance(error, MlflowException) and error.__context__ else error


class ModelServer:
    """A uvicorn server that accepts only when told to and can stop accepting without closing anything."""

    def __init__(self, application: Any) -> None:
        self._config = uvicorn.Config(
            application,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_GRACE,
        )
        self._config.load()
        self._server = uvicorn.Server(self._config)
        self._draining: asyncio.Task[None] | None = None

    async def serve(self, channel: socket.socket, listener: socket.socket, health: socket.socket) -> None:
        """Answer the private `health` connection now, `listener` after ``accept``; end after ``drain`` or ``stop``."""
        loop = asyncio.get_running_loop()
        serving = loop.create_task(self._server.serve(sockets=[]))
        await loop.connect_accepted_socket(self._protocol, health)
        obeying = loop.create_task(self._obey(channel, listener))
        await asyncio.wait({serving, obeying}, return_when=asyncio.FIRST_COMPLETED)
        if obeying.done():
            obeying.result()
        self._server.should_exit = True
        await serving

    async def _obey(self, channel: socket.socket, listener: socket.socket) -> None:
        """Do as the channel says until it says stop."""
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        while line := await reader.readline():
            match json.loads(line)["command"]:
                case "accept":
                    accepting = await loop.create_server(self._protocol, sock=listener, backlog=self._config.backlog)
                    self._server.servers.append(accepting)
                    writer.write(b"{}\n")
                case "drain":
                    if self._draining is None:
                        self._stop_accepting()
                        self._draining = loop.create_task(self._drain())
                    writer.write(b"{}\n")
                case _:
                    return
        os._exit(0)  # the supervisor is gone, and the address with it

    def _protocol(self) -> asyncio.Protocol:
        state = self._server.server_state
        factory: Any = self._config.http_protocol_class
        protocol: asyncio.Protocol = factory(config=self._config, server_state=state, app_state={})
        return protocol

    def _stop_accepting(self) -> None:
        """Accept nothing more; answer whatever still comes on open connections, saying that they close then."""
        for server in self._server.servers:
            server.close()
        close = (b"connection", b"close")
        self._config.encoded_headers.append(close)
        self._server.server_state.default_headers.append(close)

    async def _drain(self) -> None:
        """End when the last connection has closed."""
        while self._server.server_state.connections:  # noqa: ASYNC110  (uvicorn tells nobody)
            await asyncio.sleep(0.05)
        self._server.should_exit = True
