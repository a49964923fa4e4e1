"""What a decision rests on: metrics with their provenance, checks with their answers, and the evidence of a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from signoff.domain.version import digest_json

_SAME_LEVEL = 1e-9


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


class Task(StrEnum):
    """What kind of question a model answers."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, ends included, in the metric's own unit.

    `level` is its confidence. `method` is how it was made (``wilson``, ``delong``, ``bca``); ``claimed`` where somebody
    else did, and empty where nobody says.
    """

    low: float
    high: float
    level: float = 0.95
    method: str = ""

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise ValueError(f"not an interval: {self.low} to {self.high}")
        if not 0 < self.level < 1:
            raise ValueError(f"not a level of confidence: {self.level}")


@dataclass(frozen=True, slots=True)
class RowsNeeded:
    """About how many rows like these would settle, at `level`, on which side of `limit` a metric is."""

    limit: float
    rows: int
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about a model version: its value, how sure it is, on how many rows, and who says so.

    A value that is not finite was reported as such; it never passes a check. `further` are intervals at other levels,
    `seed` is that of what was random in them, `needed` how many rows would settle which limit. `conflict` says in words
    who reported another value of the same name; then no check passes because of it.
    """

    name: str
    value: float
    provenance: Provenance
    interval: Interval | None = None
    n: int | None = None
    step: str | None = None
    further: tuple[Interval, ...] = ()
    seed: int | None = None
    needed: tuple[RowsNeeded, ...] = ()
    conflict: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the value is a finite number that nobody contradicts."""
        return math.isfinite(self.value) and not self.conflict

    def rows_for(self, limit: float, level: float) -> int | None:
        """About how many rows would settle on which side of `limit` it is; None where nobody worked that out."""
        return next(
            (n.rows for n in self.needed if n.limit == limit and abs(n.level - level) < _SAME_LEVEL),
            None,
        )

    def at(self, level: float) -> Interval | None:
        """The interval at `level`, or the next surer one; None where no interval is as sure.

        A metric that has intervals, but none as sure as `level`, is not to be taken for one without intervals.
        """
        known = [interval for interval in (self.interval, *self.further) if interval is not None]
        return min(
            (interval for interval in known if interval.level > level - _SAME_LEVEL),
            key=lambda interval: interval.level,
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidate minus the champion on the same rows: paired, so what is hard for both does not count.

    `difference` is in the metric's unit. `detectable` is the smallest difference that so many rows could have shown,
    `better` says which direction is; ``zero``: neither, as with a bias.
    """

    metric: str
    difference: Metric
    p_value: float | None
    method: str
    n: int
    detectable: float | None
    better: Literal["higher", "lower", "zero"]


@dataclass(frozen=True, slots=True)
class SliceResult:
    """One metric of the rows where `columns` have `values`.

    `to_rest` is the difference to all other rows, `to_champion` the paired one to the champion on these rows,
    `p_adjusted` is corrected for how many slices were looked at. A slice that is too small to tell is `unsure`.
    """

    columns: tuple[str, ...]
    values: tuple[str, ...]
    n: int
    metric: str
    value: float
    interval: Interval | None = None
    to_rest: float | None = None
    to_champion: Metric | None = None
    status: Literal["fine", "worse", "unsure"] = "unsure"
    p_adjusted: float | None = None
    further: tuple[Interval, ...] = ()

    @property
    def label(self) -> str:
        """How people name it: ``region north, age 18 to 25``."""
        return ", ".join(f"{column} {value}" for column, value in zip(self.columns, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class FairnessGap:
    """How far the groups of a sensitive column are apart, by one definition of fairness; 0 is no gap."""

    column: str
    definition: Literal["demographic_parity", "equalised_odds"]
    value: float
    interval: Interval | None
    groups: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TestSet:
    """The rows that a version was judged on. `looks`: how often this model was judged on them, this time included."""

    __test__ = False  # pytest would take the name for a test class

    digest: str
    rows: int
    looks: int = 1


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
    slice: str | None = None
    """The slice that it is about, of a check that is made for each."""
    level: float | None = None
    """The confidence at which it was judged; None where no check of a pipeline said it."""


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
class Picture:
    """A picture as a Vega-Lite specification beside its table: paths of kept files. `reading` says what it shows."""

    name: str
    title: str
    reading: str
    spec: str
    table: str | None = None


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
    task: Task | None = None
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[SliceResult, ...] = ()
    fairness: tuple[FairnessGap, ...] = ()
    test_set: TestSet | None = None
    pictures: tuple[Picture, ...] = ()

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
