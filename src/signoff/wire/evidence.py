"""What steps found out: metrics with their intervals, checks, comparisons, slices, fairness, files."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from signoff.wire.body import Body

Number = float | str
"""A number; ``"nan"`` and ``"inf"`` as words, because JSON has none."""


class IntervalBody(Body):
    """A confidence interval, ends included. `level` is its confidence, `method` how it was made."""

    low: Number
    high: Number
    level: float = 0.95
    method: str = ""


class RowsNeededBody(Body):
    """About how many rows like these would settle on which side of `limit` a metric is, at `level`."""

    limit: float
    rows: int
    level: float = 0.95


class MetricBody(Body):
    """One metric; `low` and `high` are the ends of its interval of 95 %, `further` other intervals."""

    name: str
    value: Number
    provenance: str
    low: Number | None = None
    high: Number | None = None
    level: float | None = None
    method: str = ""
    n: int | None = None
    step: str | None = None
    further: list[IntervalBody] = []
    seed: int | None = Field(default=None, description="The seed of what was random in the intervals.")
    needed: list[RowsNeededBody] = []


class CheckBody(Body):
    """What one check said, and why. `slice` is what it is about, `level` the confidence that it was judged at."""

    name: str
    expression: str
    status: str
    severity: str
    reason: str
    seen: dict[str, Any] = {}
    is_measured: bool = True
    slice: str | None = None
    level: float | None = None


class ComparisonBody(Body):
    """The candidate minus the champion on the same rows.

    `detectable` is the smallest difference that so many rows could have shown; `better` is
    ``higher``, ``lower`` or (of a bias) ``zero``.
    """

    metric: str
    difference: MetricBody
    p_value: Number | None = None
    method: str
    n: int
    detectable: Number | None = None
    better: str


class SliceBody(Body):
    """One metric of the rows where `columns` have `values`; `status` is ``worse``, ``unsure`` or ``fine``.

    `to_rest` is the difference to all other rows, `to_champion` the paired one to the champion on these rows.
    """

    columns: list[str]
    values: list[str]
    n: int
    metric: str
    value: Number
    interval: IntervalBody | None = None
    to_rest: Number | None = None
    to_champion: MetricBody | None = None
    status: str
    p_adjusted: Number | None = None


class FairnessBody(Body):
    """How far the groups of a sensitive column are apart: ``demographic_parity`` or ``equalised_odds``; 0 is no gap."""

    column: str
    definition: str
    value: Number
    interval: IntervalBody | None = None
    groups: dict[str, Number] = {}


class TestSetBody(Body):
    """The rows that a version was judged on, and how often this model was judged on them, this time included."""

    __test__ = False  # pytest would take the name for a test class

    digest: str
    rows: int
    looks: int = 1


class PictureBody(Body):
    """A picture: `spec` and `table` are paths of files of this evidence; `reading` says what it shows."""

    name: str
    title: str
    reading: str
    spec: str
    table: str | None = None


class FileBody(Body):
    """A file that a step left; `size` in bytes."""

    path: str
    digest: str
    size: int


class EvidenceBody(Body):
    """Everything one step found out. `slices` are ordered worst first."""

    digest: str
    metrics: list[MetricBody] = []
    checks: list[CheckBody] = []
    champion_version: str | None = None
    champion_metrics: list[MetricBody] = []
    files: list[FileBody] = []
    notes: list[str] = []
    task: str | None = Field(default=None, description="binary, multiclass or regression, where predictions were read.")
    comparisons: list[ComparisonBody] = []
    slices: list[SliceBody] = []
    fairness: list[FairnessBody] = []
    test_set: TestSetBody | None = None
    pictures: list[PictureBody] = []
