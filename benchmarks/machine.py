"""What every benchmark says of the machine, and how it prints its figures. Imports nothing of the server."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version as installed


def about(*packages: str) -> dict[str, object]:
    """The machine, how busy it is with other things, and the versions."""
    return {
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "load": round(os.getloadavg()[0], 1)},
        "versions": {"python": platform.python_version(), **{name: installed(name) for name in ("signoff", *packages)}},
    }


def report(name: str, known: Mapping[str, object], figures: Mapping[str, object]) -> None:
    """Print the figures as a table, and everything as one JSON line."""
    print()
    for key, value in figures.items():
        print(f"  {key:42} {value}")
    print(json.dumps({"benchmark": name, **figures, **known}))
