"""The ASGI application, and the processes of `signoff serve` and `signoff up`.

What it offers is loaded when it is first used: who only asks whether a server runs needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_ROOMS = {"create_app": "app", "down": "stack", "serve": "stack", "up": "stack", "up_detached": "background"}
__all__ = ["create_app", "down", "serve", "up", "up_detached"]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
