"""The supervisor: owns the address of one (environment, model), swaps versions there and brings back what dies.

    python -P -m signoff.serving.supervisor --folder FOLDER [--detach]

Started by the server deployer, it outlives the worker. In its folder it keeps `port` (the address is the same after a
restart), `state.json` (what is live, and the former version), `versions/<digest>/` (its own copies of the bytes) and
`server.log`. It holds the listening socket all its life, so that clients wait rather than fail while no child accepts.
`control.sock` takes JSON lines, one answer each:

    {"command": "status"}                           -> {"address", "pid", "live": {...} | null, "wanted": {...} | null}
    {"command": "prepare", "served": {...}, "path"} -> {"ok": true, "is_changed": bool}: a child is healthy, not live
    {"command": "commit"}                           -> {"ok": true, "address"}: it answers now; the former one drains
    {"command": "stop"}                             -> {"ok": true}

`commit` belongs on the connection that prepared; closing that connection instead gives the version up. A refusal is
`{"error": code, "what", "hint"}`. One asyncio loop, because everything here is waiting; nothing heavy is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from signoff.serving.child import DRAIN_TIMEOUT, Child, Launcher
from signoff.serving.disk import copy, write_whole
from signoff.serving.served import RefusedError, Served
from signoff.serving.sockets import bind, bind_control

STEADY = 10.0
"""Seconds after which a child that dies is brought back at once; one that dies sooner waits longer each time."""
LONGEST_WAIT = 30.0
STOP_TIMEOUT = 5.0
COMMIT_TIMEOUT = 60.0
LONGEST_LINE = 2**24
LOG_LIMIT = 2**23


class Supervisor:
    """One address, the child that is live behind it, and what is needed to go back."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self.folder = folder
        self.listener = listener
        self.live: Child | None = None
        self.state: dict[str, Served] = {}
        self._launcher = Launcher(folder, log)
        self._deploying = asyncio.Lock()
        self._reviver: asyncio.Task[None] | None = None
        self._wait = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: set[Child] = set()
        self.stopped = asyncio.Event()

    @property
    def address(self) -> str:
        """Where clients reach whatever is live."""
        host, port = self.listener.getsockname()
        return f"http://{host}:{port}"

    async def run(self, control: socket.socket) -> None:
        """Serve until told to stop; first bring back what `state.json` says was live."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stopped.set)
        self._launcher.start()
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            kept = json.loads((self.folder / "state.json").read_bytes())
            self.state = {name: Served(**value) for name, value in kept.items()}
        if "live" in self.state:
            self._revive(self.state["live"])
        server = await asyncio.start_unix_server(self._converse, sock=control, limit=LONGEST_LINE)
        await self.stopped.wait()
        server.close()
        self.listener.close()
        self._give_up_reviving()
        live, self.live = self.live, None
        ending = [child.finish("stop", STOP_TIMEOUT) for child in (live, *self._leaving) if child]
        await asyncio.gather(*ending, return_exceptions=True)
        self._launcher.close()
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "control.sock").unlink()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One control connection: each line is a command."""

        async def answer(message: dict[str, Any]) -> None:
            writer.write(json.dumps(message).encode() + b"\n")
            await writer.drain()

        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                try:
                    message = json.loads(line)
                    match message.get("command"):
                        case "status":
                            await answer(self._status())
                        case "stop":
                            await answer({"ok": True})
                            self.stopped.set()
                        case "prepare":
                            async with self._deploying:
                                await self._deploy(message, reader, answer)
                        case other:
                            await answer(RefusedError("machinery", f"There is no command {other!r}.").as_json())
                except RefusedError as refusal:
                    log(f"refused: {refusal.what}")
                    await answer(refusal.as_json())
                except (ValueError, TypeError, KeyError, OSError) as error:
                    log(f"failed: {error!r}")
                    await answer(RefusedError("machinery", f"The model server's supervisor: {error}.").as_json())
        writer.close()

    def _status(self) -> dict[str, Any]:
        live = self.live
        return {
            "address": self.address,
            "pid": os.getpid(),
            "live": live and live.served.as_json() | {"pid": live.pid},
            "wanted": self.state["live"].as_json() if "live" in self.state else None,
        }

    async def _deploy(self, message: dict[str, Any], reader: asyncio.StreamReader, answer: Any) -> None:
        """Prepare, then wait for `commit`; anything else gives the version up and changes nothing."""
        served = Served(**message["served"])
        if self.live and self.live.served.is_same_as(served):
            child = None
        else:
            if self.live is None and self.state.get("live") == served:
                self._give_up_reviving()
            try:
                child = await self._start(served, Path(message["path"]))
            except BaseException:
                if self.live is None and "live" in self.state:
                    self._revive(self.state["live"])
                raise
        committed = False
        try:
            await answer({"ok": True, "is_changed": child is not None})
            async with asyncio.timeout(COMMIT_TIMEOUT):
                committed = json.loads(await reader.readline() or b"{}").get("command") == "commit"
            if committed and child:
                await self._swap(child)
                child = None
        except TimeoutError:
            raise RefusedError("unavailable", "The deployer did not commit in time.", "Deploy again.") from None
        finally:
            if child:
                await child.kill()
        if committed:
            await answer({"ok": True, "address": self.address})

    async def _start(self, served: Served, path: Path | None) -> Child:
        """A healthy child for `served`. Kept bytes are taken if they are there, else copied from `path`."""
        folder = self.folder / "versions" / served.digest.removeprefix("sha256:")
        was_kept = folder.is_dir()
        if not was_kept:
            if path is None:
                raise RefusedError("machinery", f"The bytes of {served.label} are no longer here.", "Deploy it again.")
            await asyncio.to_thread(copy, path, folder)
        child = await self._launcher.launch(served, folder, self.listener)
        try:
            await child.healthy()
        except RefusedError as refusal:
            if refusal.code != "digest_mismatch" or path is None:
                raise
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            if was_kept:
                return await self._start(served, path)
            raise
        except BaseException:
            await child.kill()
            raise
        return child

    async def _swap(self, child: Child) -> None:
        """Make `child` the one that accepts, then let the former one finish what it has."""
        if child.ended.done():
            raise RefusedError("unhealthy", f"The server of {child.served.label} ended before it was live.")
        former = self.state.get("live")
        await child.accept()
        self._give_up_reviving()
        leaving, self.live = self.live, child
        self._wait = 0.0
        self._save(child.served, former if former and former.digest != child.served.digest else None)
        self._spawn(self._watch(child))
        log(f"{child.served.label} is live")
        if leaving:
            await leaving.stop_accepting()
            self._spawn(self._drain(leaving))

    def _save(self, live: Served, former: Served | None) -> None:
        """Write what is live and what was; forget the bytes of everything older."""
        former = former or self.state.get("former")
        self.state = {"live": live} | ({"former": former} if former else {})
        write_whole(self.folder / "state.json", json.dumps({name: one.as_json() for name, one in self.state.items()}))
        kept = {one.digest.removeprefix("sha256:") for one in self.state.values()}
        for folder in (self.folder / "versions").iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    async def _drain(self, child: Child) -> None:
        self._leaving.add(child)
        await child.finish("drain", DRAIN_TIMEOUT)
        self._leaving.discard(child)

    async def _watch(self, child: Child) -> None:
        """Bring the live child back when it dies."""
        began = time.monotonic()
        status = await asyncio.shield(child.ended)
        if self.live is not child or self.stopped.is_set():
            return
        log(f"{child.served.label} ended with status {status}; it is brought back")
        self.live = None
        if time.monotonic() - began > STEADY:
            self._wait = 0.0
        self._revive(child.served)

    def _revive(self, served: Served) -> None:
        self._give_up_reviving()
        self._reviver = self._spawn(self._bring_back(served))

    def _give_up_reviving(self) -> None:
        if self._reviver:
            self._reviver.cancel()
            self._reviver = None

    async def _bring_back(self, served: Served) -> None:
        """Start `served` from the kept bytes until it is healthy, waiting twice as long after each failure."""
        while True:
            await asyncio.sleep(self._wait)
            self._wait = min(max(2 * self._wait, 0.5), LONGEST_WAIT)
            child = None
            try:
                child = await self._start(served, None)
                await child.accept()
            except BaseException as error:
                if child:
                    await child.kill()
                if not isinstance(error, RefusedError | OSError):
                    raise
                log(f"{served.label} could not be brought back: {error}")
                continue
            self._reviver = None
            self.live = child
            self._spawn(self._watch(child))
            log(f"{served.label} is back")
            return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def log(text: str) -> None:
    """One line with its time on standard error, which is `server.log` when detached; the one before it is kept."""
    status = os.fstat(2)
    if stat.S_ISREG(status.st_mode) and status.st_size > LOG_LIMIT and Path("server.log").exists():
        shutil.copyfile("server.log", "server.log.1")
        os.ftruncate(2, 0)
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, file=sys.stderr, flush=True)  # noqa: T201


def detach(log_file: Path) -> None:
    """Go on in the background; whoever started this process goes on too, and everything is bound by now."""
    if os.fork():
        os._exit(0)
    with log_file.open("ab") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def main() -> None:
    """Be the one supervisor of the folder; do nothing when it already has one."""
    parser = argparse.ArgumentParser(prog="signoff.serving.supervisor")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--detach", action="store_true")
    arguments = parser.parse_args()
    os.umask(0o077)
    folder: Path = arguments.folder.resolve()
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    lock = (folder / "lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    listener = bind(folder)
    control = bind_control(folder)
    if arguments.detach:
        detach(folder / "server.log")

    async def supervise() -> None:
        await Supervisor(folder, listener).run(control)

    asyncio.run(supervise())


if __name__ == "__main__":
    main()
