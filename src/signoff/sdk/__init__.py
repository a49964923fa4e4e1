"""The Python client over REST; imports no server code.

`import signoff` offers `submit`, `connect`, `load_model` and `Run` from here; the command line uses `Client`. Each name
is loaded when it is first used, so that a program pays for what it needs only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signoff.sdk.client import Client
    from signoff.sdk.connection import connect
    from signoff.sdk.errors import ApiError, ServerUnreachableError, WaitedTooLongError
    from signoff.sdk.loading import load_model
    from signoff.sdk.run import Run
    from signoff.sdk.submission import submit

__all__ = [
    "ApiError",
    "Client",
    "Run",
    "ServerUnreachableError",
    "WaitedTooLongError",
    "connect",
    "load_model",
    "submit",
]

_HOMES = {
    "ApiError": "errors",
    "Client": "client",
    "Run": "run",
    "ServerUnreachableError": "errors",
    "WaitedTooLongError": "errors",
    "connect": "connection",
    "load_model": "loading",
    "submit": "submission",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"signoff.sdk.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'signoff.sdk' has no attribute {name!r}")
