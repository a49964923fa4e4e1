"""What one model server serves, as it travels between supervisor, child and state file. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Served:
    """One approved version: what `/version` shows, and how long (seconds) it may take to get healthy."""

    model: str
    version: str
    digest: str
    approval: Mapping[str, Any] = field(default_factory=dict)
    health_timeout: float = 60.0

    @property
    def label(self) -> str:
        """How people name it: ``fraud-detector v3``."""
        return f"{self.model} v{self.version}"

    def as_json(self) -> dict[str, Any]:
        """Plain values; `Served(**value)` is the way back."""
        return asdict(self)

    def is_same_as(self, other: Served) -> bool:
        """Whether swapping one for the other would change nothing that a client can see."""
        return (self.version, self.digest, self.approval) == (other.version, other.digest, other.approval)


class RefusedError(Exception):
    """Why a version is not served: `code` of the error that the deployer raises, what happened, what to do."""

    def __init__(self, code: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint

    def as_json(self) -> dict[str, Any]:
        """As it goes over the control socket."""
        return {"error": self.code, "what": self.what, "hint": self.hint}
