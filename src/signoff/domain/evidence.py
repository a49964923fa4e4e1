"""What a decision rests on: metrics with their provenance, checks with their answers, and the evidence of a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from signoff.domain.version import digest_json


class Provenance(StrEnum):
    """Who says so: a signoff worker that ran a test on the verified bytes, or whoever submitted."""

    MEASURED = "measured"
    CLAIMED = "claimed"


class Severity(StrEnum):
    """What a check that does not pass means: the step fails, or people are warned."""

    FAIL = "fail"
    WARN = "warn"


class CheckStatus(StrEnum):
    """A check's answer. *Uncertain*: the numbers cannot tell, so people decide."""

    PASSED = "passed"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ends included, in the metric's own unit."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise ValueError(f"not an interval: {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about a model version: its value, how sure it is, on how many rows, and who says so.

    A value that is not finite was reported as such; it never passes a check.
    """

    name: str
    value: float
    provenance: Provenance
    interval: Interval | None = None
    n: int | None = None
    step: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether the value is a finite number."""
        return math.isfinite(self.value)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check said, and why in words, with the values that it saw."""

    name: str
    expression: str
    status: CheckStatus
    severity: Severity
    reason: str
    seen: Mapping[str, float | str | None] = field(default_factory=dict)
    uses_champion: bool = False
    is_measured: bool = True
    """Whether every metric that it read was measured; a check that read a claimed one says so here."""


@dataclass(frozen=True, slots=True)
class Champion:
    """The version behind the environment's alias when the evidence was taken, and its metrics."""

    version: str
    digest: str
    metrics: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file that a step left, kept as a blob. `size` in bytes."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything one step found out about one version's bytes. Its digest is part of what a gate signs."""

    step: str
    attempt: int
    model_digest: str
    metrics: tuple[Metric, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    champion: Champion | None = None
    files: tuple[EvidenceFile, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the canonical JSON of all of it."""
        return digest_json(to_plain(self))

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that say no and matter."""
        return tuple(c for c in self.checks if c.status is CheckStatus.FAILED and c.severity is Severity.FAIL)


def to_plain(value: Any) -> Any:
    """`value` as JSON-able plain data; floats that JSON cannot hold become strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: to_plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
