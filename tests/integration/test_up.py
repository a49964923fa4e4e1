"""`signoff up` is one thing: a signal to it ends everything that it started."""

from __future__ import annotations

import json
import signal

from real_stack import running
from signoff.server.state import is_ours


def test_sigterm_ends_server_and_worker_and_nothing_is_left() -> None:
    with running() as stack:
        state = json.loads((stack.home / "up.json").read_text())
        assert is_ours(state["worker_pid"])
        stack.process.send_signal(signal.SIGTERM)
        assert stack.process.wait(30) == 0
        assert not is_ours(state["worker_pid"])
        assert not (stack.home / "up.json").exists()
