"""Where a deployer writes: the log of its step, or the worker's own for what people deploy by hand."""

from __future__ import annotations

from signoff.domain.run import Run
from signoff.engine.logbook import Logbook
from signoff.engine.machinery import LOG, Machinery

_LONGEST_LINE = 2000


class StepLog:
    """The log of a deployment step, begun by the first word in it: most deployers write none."""

    def __init__(self, machinery: Machinery, run: Run, step: str) -> None:
        self._machinery = machinery
        self._run, self._step = run, step
        self._logbook: Logbook | None = None

    def write(self, data: bytes, /) -> int:
        """Append; raises OSError when the disk is full."""
        if self._logbook is None:
            self._logbook = Logbook(self._machinery, self._run, self._step)
        return self._logbook.write(data)

    def tend(self) -> None:
        """Send what waits for long enough."""
        if self._logbook is not None:
            self._logbook.tend()

    def finish(self) -> None:
        """Keep what was written, if anything was. May be repeated after an UnavailableError."""
        if self._logbook is not None:
            self._logbook.finish()


class WorkerLog:
    """Where a deployment by hand writes: into the log of the worker that carries it out, a line at a time."""

    def __init__(self, deployment_id: str) -> None:
        self._log = LOG.bind(deployment=deployment_id)
        self._begun = b""

    def write(self, data: bytes, /) -> int:
        """Say every line that is whole."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > _LONGEST_LINE:
            lines, self._begun = [*lines, self._begun], b""
        for line in lines:
            self._say(line)
        return len(data)

    def finish(self) -> None:
        """Say what came after the last newline."""
        begun, self._begun = self._begun, b""
        self._say(begun)

    def _say(self, line: bytes) -> None:
        words = line[:_LONGEST_LINE].decode(errors="replace").strip()
        if words:
            self._log.info("the deployer said", line=words)
