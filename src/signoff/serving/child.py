"""The supervisor's side of its launcher and of each model server: start, wait for health, accept, drain, end.

Runs in the supervisor's event loop: one thread, so that nothing here needs a lock. Standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from signoff.serving.served import RefusedError, Served

LAST_WORDS = 15
"""How many log lines a failure shows."""
LAUNCH_TIMEOUT = 120.0
"""Seconds for the launcher to import MLflow on a slow, cold machine; not part of a model's health time."""
_STOPS_ACCEPTING_WITHIN = 5.0
"""Seconds that a swap waits for the former server to say that it takes nothing new."""
DRAIN_TIMEOUT = 60.0
"""Seconds that requests in flight get during a swap before the former server is killed."""


class Launcher:
    """One `launcher` process and the children it forked; started again when it is gone."""

    def __init__(self, folder: Path, log: Callable[[str], None]) -> None:
        self._folder = folder
        self._log = log
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pids: deque[asyncio.Future[int]] = deque()
        self._children: dict[int, Child] = {}

    def start(self) -> None:
        """Start the process unless it runs. From the main thread: the kernel ties its life to this thread."""
        if self._control is not None:
            return
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-P", "-m", "signoff.serving.launcher"]
        argv += ["--control", str(theirs.fileno()), "--parent", str(os.getpid())]
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        self._process = subprocess.Popen(
            argv, pass_fds=(theirs.fileno(),), cwd=self._folder, env=environment, stdin=subprocess.DEVNULL
        )
        theirs.close()
        mine.setblocking(False)
        self._control = mine
        asyncio.get_running_loop().add_reader(mine, self._receive)

    async def launch(self, served: Served, folder: Path, listener: socket.socket) -> Child:
        """Fork a model server for the bytes in `folder`; it verifies and loads them, and accepts nothing yet."""
        self.start()
        if self._control is None:  # pragma: no cover (start() has just made it)
            raise RefusedError("machinery", "The launcher is gone.")
        channel, its_channel = socket.socketpair()
        health, its_health = socket.socketpair()
        output, its_output = os.pipe()
        pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        descriptors = [listener.fileno(), its_channel.fileno(), its_health.fileno(), its_output]
        try:
            socket.send_fds(self._control, [b"1"], descriptors)
            self._pids.append(pid)
        finally:
            its_channel.close()
            its_health.close()
            os.close(its_output)
        try:
            number = await asyncio.wait_for(pid, LAUNCH_TIMEOUT)
        except BaseException as error:
            channel.close()
            health.close()
            os.close(output)
            if isinstance(error, TimeoutError):
                raise RefusedError("machinery", "The model server's launcher did not start.") from None
            raise
        child = Child(served, number, self._log)
        self._children[number] = child
        await child.open(channel, health, output, folder)
        return child

    def close(self) -> None:
        """End the launcher; children that are left die with it."""
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _receive(self) -> None:
        """One message of the launcher: a child's pid, or how one ended."""
        if self._control is None:
            return
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        message = json.loads(data)
        if "pid" in message and self._pids:
            waiting = self._pids.popleft()
            if waiting.done():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(message["pid"], signal.SIGKILL)
            else:
                waiting.set_result(message["pid"])
        elif "ended" in message and (child := self._children.pop(message["ended"], None)):
            child.end(message["status"])

    def _lost(self) -> None:
        """The launcher died, and the kernel ended its children with it."""
        self.close()
        self._log("the launcher ended")
        while self._pids:
            if not (waiting := self._pids.popleft()).done():
                what = "The model server's launcher ended before it could start one."
                waiting.set_exception(RefusedError("machinery", what, "See server.log beside its state."))
        children, self._children = self._children, {}
        for child in children.values():
            child.end(-signal.SIGKILL)


class Child:
    """One model server process: a version being checked, serving, or draining."""

    def __init__(self, served: Served, pid: int, log: Callable[[str], None]) -> None:
        self.served = served
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._log = log
        self._lines: deque[str] = deque(maxlen=LAST_WORDS)

    async def open(self, channel: socket.socket, health: socket.socket, output: int, folder: Path) -> None:
        """Take over the three descriptors and tell the process what to serve."""
        self._answers, self._orders = await asyncio.open_unix_connection(sock=channel)
        self._health = health
        loop = asyncio.get_running_loop()
        self._output = asyncio.StreamReader(limit=2**20)
        protocol = asyncio.StreamReaderProtocol(self._output)
        await loop.connect_read_pipe(lambda: protocol, os.fdopen(output, "rb"))
        self._reading = loop.create_task(self._read_output())
        await self._tell({"served": self.served.as_json(), "folder": str(folder)})

    async def healthy(self) -> None:
        """Return once it has verified, loaded, predicted its example and answered a ping; it accepts nothing yet.

        Raises:
            RefusedError: it did not within `served.health_timeout` seconds, said no, or ended. It is gone then.
        """
        timeout = self.served.health_timeout
        try:
            async with asyncio.timeout(timeout):
                await self._answer()
                await self._ping()
        except TimeoutError:
            refusal = RefusedError("unhealthy", f"{self.served.label} was not healthy within {timeout:g} s.")
        except RefusedError as error:
            refusal = error
        else:
            return
        await self.kill()
        words = "\n".join(line for line in self._lines if line.strip())
        hint = refusal.hint or (f"Its last words:\n{words}" if words else "It said nothing.")
        raise RefusedError(refusal.code, refusal.what, hint)

    async def accept(self) -> None:
        """Let it accept connections on the address; on return it does."""
        await self._tell({"command": "accept"})
        try:
            async with asyncio.timeout(10):
                await self._answer()
        except TimeoutError:
            raise RefusedError("unhealthy", f"{self.served.label} did not begin to accept connections.") from None

    async def stop_accepting(self) -> None:
        """Tell it to drain, and wait until every new connection is its successor's."""
        await self._tell({"command": "drain"})
        with contextlib.suppress(RefusedError, TimeoutError):
            async with asyncio.timeout(_STOPS_ACCEPTING_WITHIN):
                await self._answer()

    async def finish(self, command: str, patience: float) -> None:
        """Tell it to ``drain`` (answer what is open, take nothing new) or ``stop``; killed after `patience` seconds."""
        await self._tell({"command": command})
        try:
            async with asyncio.timeout(patience):
                await asyncio.shield(self.ended)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it now."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            await asyncio.shield(self.ended)
        await asyncio.wait({self._reading}, timeout=1)

    def end(self, status: int) -> None:
        """The launcher says that it ended, with this exit status (negative: by that signal)."""
        self._orders.close()
        self._health.close()
        if not self.ended.done():
            self.ended.set_result(status)

    async def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            self._orders.write(json.dumps(message).encode() + b"\n")
            await self._orders.drain()

    async def _answer(self) -> None:
        """Wait until it says that the order is done; a refusal when it says no or ended."""
        try:
            line = await self._answers.readline()
        except ConnectionError:
            line = b""
        if line:
            answer: dict[str, str] = json.loads(line)
            if "error" in answer:
                raise RefusedError(answer["error"], answer["what"], answer.get("hint", ""))
            return
        status = await asyncio.shield(self.ended)
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
        raise RefusedError("unhealthy", f"The server of {self.served.label} {how}.")

    async def _ping(self) -> None:
        """Ask over a private connection, through the same HTTP stack that will answer clients."""
        reader, writer = await asyncio.open_unix_connection(sock=self._health.dup())
        try:
            writer.write(b"GET /ping HTTP/1.1\r\nhost: health\r\nconnection: close\r\n\r\n")
            status = await reader.readline()
        finally:
            writer.close()
        if b" 200 " not in status:
            said = status.decode(errors="replace").strip()
            raise RefusedError("unhealthy", f"{self.served.label} answered its health check with {said!r}.")

    async def _read_output(self) -> None:
        """Keep its last lines and hand every one to the log, until it closes."""
        while True:
            try:
                line = await self._output.readline()
            except ValueError:
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            self._lines.append(text[:500])
            self._log(f"{self.served.label} [{self.pid}] {text}")
