"""Evidence as the review and run pages show it: rows of text, slices with their bars, pictures with their tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from signoff.domain.digits import number, percent, rows, signed, together
from signoff.domain.evidence import CheckResult, CheckStatus, Evidence, Interval, Picture, SliceResult
from signoff.domain.model_card import ModelCard, explain_missing
from signoff.domain.scorecard import MetricRow, Tone, direction, lost, rows_of, worst_first
from signoff.service.desk import Desk
from signoff.service.evidence_files import PictureTable, read_card, read_table

MOST_SLICES = 8
_MOST_TABLE_ROWS = 200
_MOST_METRICS = 6
_USUAL = 0.95
_TONES = {
    Tone.BETTER: ("green", "arrow-up-right", "surely better"),
    Tone.WORSE: ("orange", "arrow-down-right", "surely worse"),
    Tone.SAME: ("secondary", "minus", "may be chance"),
    Tone.UNKNOWN: ("secondary", "", ""),
}


@dataclass(frozen=True, slots=True)
class ShownMetric:
    """A row of the table of metrics, as text. `result` is a status for a badge, or empty."""

    name: str
    meaning: str
    is_claimed: bool
    candidate: str
    sure: str
    champion: str
    change: str
    tone: str
    icon: str
    change_words: str
    between: str
    limits: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class ShownSlice:
    """A slice with its bar, from `low` to `high`.

    `is_bad` says that it is worse than the rest or than before, `is_lost` that its change is for the worse; `words` say
    it too.
    """

    label: str
    metric: str
    value: float
    shown: str
    low: float
    high: float
    bar: float
    change: str
    is_bad: bool
    is_lost: bool
    words: str
    count: str


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture: where its specification is, what it says, and the table that it was drawn from."""

    picture: Picture
    address: str
    table: PictureTable | None
    left_out: int


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A model card and where its file is; `missing` is what it does not say, in a sentence."""

    card: ModelCard
    address: str
    missing: str


@dataclass(frozen=True, slots=True)
class ShownEvidence:
    """Everything of some evidence, ready for a template."""

    champion_version: str | None
    metrics: tuple[ShownMetric, ...]
    more_metrics: tuple[ShownMetric, ...]
    slices: tuple[ShownSlice, ...]
    more_slices: tuple[ShownSlice, ...]
    pictures: tuple[ShownPicture, ...]
    checks: tuple[CheckResult, ...]
    fairness: tuple[dict[str, str], ...]
    notes: tuple[str, ...]
    files: tuple[tuple[str, str, int], ...]
    rested_on: str
    card: ShownCard | None

    @property
    def counts(self) -> dict[str, int]:
        """How many checks said what."""
        return {status.value: sum(c.status is status for c in self.checks) for status in CheckStatus}


def show(desk: Desk, run_id: str, found: Sequence[Evidence], *, pictures: bool = True) -> ShownEvidence:
    """`found`, evidence of one version, as a page shows it; without `pictures` for one that draws none, nor a card."""
    every = worst_first(one for item in found for one in item.slices)
    slices = [shown for one in every if (shown := _slice(one, _ends(one, every))) is not None]
    metrics = [_metric(row) for row in rows_of(found)]
    shown_first = sum(bool(row.limits) for row in metrics) or _MOST_METRICS
    champion = next((item.champion.version for item in reversed(found) if item.champion is not None), None)
    test_set = next((item.test_set for item in reversed(found) if item.test_set is not None), None)
    rested_on = ""
    if test_set is not None:
        times = "for the first time" if test_set.looks == 1 else f"{test_set.looks} times by now"
        rested_on = f"{rows(test_set.rows)} that it was not trained on, looked at {times}"
    return ShownEvidence(
        champion_version=champion,
        metrics=tuple(metrics[:shown_first]),
        more_metrics=tuple(metrics[shown_first:]),
        slices=tuple(slices[:MOST_SLICES]),
        more_slices=tuple(slices[MOST_SLICES:]),
        pictures=tuple(_picture(desk, run_id, item, one) for item in found for one in item.pictures if pictures),
        checks=tuple(check for item in found for check in item.checks),
        fairness=tuple(_gap(gap) for item in found for gap in item.fairness),
        notes=tuple(note for item in found for note in item.notes),
        files=tuple(
            (file.path, file_address(run_id, item, file.path), file.size) for item in found for file in item.files
        ),
        rested_on=rested_on,
        card=next((card for item in reversed(found) if pictures and (card := _card(desk, run_id, item))), None),
    )


def _card(desk: Desk, run_id: str, item: Evidence) -> ShownCard | None:
    found = read_card(desk, item)
    if found is None:
        return None
    file, card = found
    return ShownCard(card, file_address(run_id, item, file.path), explain_missing(card))


def file_address(run_id: str, item: Evidence, path: str) -> str:
    """Where a file that a step left is read."""
    return f"/runs/{quote(run_id)}/files/{item.digest}/{quote(path)}"


def _metric(row: MetricRow) -> ShownMetric:
    tone, icon, words = _TONES[row.tone]
    values = [row.candidate.value] + ([row.champion.value] if row.champion is not None else [])
    shown = together(*values)
    spread = row.candidate.interval
    sure = f"{number(spread.low)} to {number(spread.high)}{_unusual(spread)}" if spread is not None else ""
    between = ""
    if row.spread is not None:
        between = f"{signed(row.spread.low)} to {signed(row.spread.high)}{_unusual(row.spread)}"
    result = row.result.value if row.result is not None else ""
    if row.is_warning and row.result is CheckStatus.FAILED:
        result = "warning"
    return ShownMetric(
        name=row.name,
        meaning=row.meaning,
        is_claimed=row.candidate.provenance == "claimed",
        candidate=shown[0],
        sure=sure,
        champion=shown[1] if row.champion is not None else "",
        change=signed(row.change) if row.change is not None and math.isfinite(row.change) else "",
        tone=tone,
        icon=icon,
        change_words=words,
        between=between,
        limits=row.limits,
        result=result,
    )


def _unusual(spread: Interval) -> str:
    """The confidence of an interval where it is another than the usual one, which the table's head names."""
    return "" if math.isclose(spread.level, _USUAL) else f", {percent(spread.level)} sure"


def _ends(one: SliceResult, every: Sequence[SliceResult]) -> tuple[float, float]:
    """From where to where the bars of this metric go: a little beyond the slices' own values."""
    values = [other.value for other in every if other.metric == one.metric and math.isfinite(other.value)]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if low >= 0 and high <= 1:
        return max(0.0, low - (high - low or 0.1) * 0.5), 1.0
    return min(0.0, low), high or 1.0


def _slice(one: SliceResult, ends: tuple[float, float]) -> ShownSlice | None:
    if not math.isfinite(one.value):
        return None
    low, high = ends
    change = one.to_champion.value if one.to_champion is not None else one.to_rest
    is_bad = lost(one) or one.status == "worse"
    words = {"worse": "surely worse than the rest", "fine": "fine", "unsure": "too few rows to tell"}[one.status]
    if lost(one):
        words = "surely worse than with the champion"
    bar = one.value if direction(one.metric) != "lower" else low + high - one.value
    return ShownSlice(
        label=one.label,
        metric=one.metric,
        value=one.value,
        shown=number(one.value),
        low=low,
        high=high,
        bar=bar,
        change=signed(change) if change is not None and math.isfinite(change) else "",
        is_bad=is_bad,
        is_lost=lost(one) or (is_bad and one.to_champion is None),
        words=words,
        count=rows(one.n),
    )


def _picture(desk: Desk, run_id: str, item: Evidence, picture: Picture) -> ShownPicture:
    table = read_table(desk, item, picture.table)
    left_out = 0
    if table is not None and len(table.rows) > _MOST_TABLE_ROWS:
        left_out = len(table.rows) - _MOST_TABLE_ROWS
        table = PictureTable(table.titles, table.kinds, table.rows[:_MOST_TABLE_ROWS])
    return ShownPicture(picture, file_address(run_id, item, picture.spec), table, left_out)


def _gap(gap: Any) -> dict[str, str]:
    spread = gap.interval
    groups = sorted(gap.groups.items(), key=lambda item: item[1])
    return {
        "column": gap.column,
        "definition": gap.definition.replace("_", " "),
        "value": number(gap.value),
        "sure": f"between {number(spread.low)} and {number(spread.high)}" if spread is not None else "",
        "groups": ", ".join(f"{name} {number(value)}" for name, value in groups),
    }


def cell(value: Any, kind: str) -> str:
    """A value of a picture's table as text."""
    if value is None:
        return "unknown"
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:.1%}" if kind == "share" else number(float(value))
