"""`signoff worker`: wires the machinery and works until it is told to stop."""

from __future__ import annotations

import shutil
import signal

from signoff.bootstrap.logs import configure_logs
from signoff.bootstrap.wiring import wire_machinery
from signoff.engine.worker import Worker
from signoff.settings import Settings


def work(settings: Settings, concurrency: int) -> None:
    """Run jobs until SIGTERM or SIGINT; running commands are then ended and handed back."""
    configure_logs(settings.log_format)
    with wire_machinery(settings, concurrency=concurrency) as machinery:
        worker = Worker(machinery, concurrency=concurrency)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        try:
            worker.run()
        finally:
            shutil.rmtree(machinery.work, ignore_errors=True)
