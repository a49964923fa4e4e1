"""signoff: pull-request review for machine-learning models.

What `import signoff` offers is the client (`sdk`), loaded when it is first used, so that importing the package
costs nothing to the command line and to servers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Run", "connect", "load_model", "submit"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("signoff.sdk"), name)
    raise AttributeError(f"module 'signoff' has no attribute {name!r}")
