"""The build hook of the wheel: the pages' files of npm are made before they are packed (frontend/build.py)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndHook(BuildHookInterface[Any]):
    """Makes src/signoff/web/static/vendor, which git ignores and the wheel holds."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's signature
        """Make it when it is not made yet; cheap the second time, for pip builds twice."""
        sys.path.insert(0, str(Path(self.root) / "frontend"))
        try:
            from build import build
        finally:
            sys.path.pop(0)
        build()
