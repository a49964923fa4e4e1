"""Structured logs, for people or as JSON lines; everything that libraries log goes the same way."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from signoff.domain.secret import redacted
from signoff.store.audit import REQUEST_ID

_QUIET = ("alembic", "procrastinate", "httpx2", "httpcore", "uvicorn.access", "mlflow", "asgiref", "asyncio")


def configure_logs(log_format: str) -> None:
    """Send every log line to stderr: ``human`` or ``json``; each names its request, when it belongs to one."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderers: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        # The library's own choice would print every local variable: request bodies, and seconds of work.
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers, _redact],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _redact(_logger: Any, _method: str, line: Any) -> str:
    """The last look at a whole line, whoever wrote it and whatever traceback it carries."""
    return redacted(line)


def _add_request(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    request = REQUEST_ID.get()
    return {**line, "request_id": request} if request is not None else line
