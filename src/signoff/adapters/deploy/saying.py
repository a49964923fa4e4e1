"""What a deployment writes: its log without the secrets that it was given, and the last line of it as the reason.

A command gets its secrets to use them. One that prints them (``set -x``, a client that is asked to be talkative)
must not put them before everybody who reads the run.
"""

from __future__ import annotations

from collections.abc import Iterable

from signoff.domain.secret import HIDDEN, Secret, redacted
from signoff.ports import Log

_SHORTEST_LINE = 8
"""Lines of a secret that are shorter (``-----``, ``{``) stand in many texts, and tell nothing."""
_LONGEST_REASON = 500
_KEPT = 4096


class Saying:
    """A `Log` that passes on to `log`, with every one of `secrets` taken out however it is cut into pieces."""

    def __init__(self, log: Log | None, secrets: Iterable[Secret] = ()) -> None:
        self._log = log
        self._hidden = sorted(_faces(secrets), key=len, reverse=True)
        self._held = b""
        self._tail = b""

    def write(self, data: bytes, /) -> int:
        """Pass on what can hold no beginning of a secret; the rest waits for the next piece, or for `flush`."""
        waiting = self._held + data
        keep = 0
        for hidden in self._hidden:
            waiting = waiting.replace(hidden, HIDDEN.encode())
            keep = max(keep, _overlap(waiting, hidden))
        cut = len(waiting) - keep
        self._held = waiting[cut:]
        self._pass(waiting[:cut])
        return len(data)

    def flush(self) -> None:
        """Nothing more comes of this command: what was held back is no secret."""
        held, self._held = self._held, b""
        self._pass(held)

    def say(self, words: str) -> None:
        """A line of signoff's own."""
        self.flush()
        if self._log is not None:
            self._log.write(f"[signoff] {words}\n".encode())

    def last_line(self) -> str:
        """The last line that was not empty, short enough to be a reason; empty when there was none."""
        lines = [line.strip() for line in self._tail.decode(errors="replace").splitlines()]
        last = next((line for line in reversed(lines) if line), "")
        words = redacted("".join(character if character.isprintable() else " " for character in last))
        return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."

    def forget(self) -> None:
        """Another command begins: the last line is its own."""
        self.flush()
        self._tail = b""

    def _pass(self, data: bytes) -> None:
        if not data:
            return
        self._tail = (self._tail + data)[-_KEPT:]
        if self._log is not None:
            self._log.write(data)


def _faces(secrets: Iterable[Secret]) -> set[bytes]:
    """Each secret whole, and each line of those that have several."""
    found: set[bytes] = set()
    for secret in secrets:
        text = secret.reveal()
        found.add(text.encode())
        found |= {line.strip().encode() for line in text.splitlines() if len(line.strip()) >= _SHORTEST_LINE}
    return {face for face in found if face}


def _overlap(text: bytes, hidden: bytes) -> int:
    """How many bytes at the end of `text` are the beginning of `hidden`, and not all of it."""
    for length in range(min(len(text), len(hidden) - 1), 0, -1):
        if text.endswith(hidden[:length]):
            return length
    return 0
