"""What a step found out, as `signoff show` shows it: metrics with intervals, comparisons, checks, slices, fairness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from signoff.cli.screen import safe
from signoff.cli.table import table
from signoff.cli.words import interval, number, sign

if TYPE_CHECKING:
    from rich.console import RenderableType

    from signoff.wire.evidence import CheckBody, ComparisonBody, EvidenceBody, FairnessBody, SliceBody

_MOST_SLICES = 5
_USUAL = 0.95
_SLICE = {"worse": "[red]worse than the rest[/]", "unsure": "[yellow]too few rows to tell[/]", "fine": "fine"}
_FAIRNESS = {"demographic_parity": "demographic parity", "equalised_odds": "equalised odds"}


def evidence(name: str, found: EvidenceBody) -> Iterator[RenderableType]:
    """What one step found out."""
    if found.metrics:
        yield f"\n[bold]Metrics[/] [dim]of {safe(name)}{_rested_on(found)}[/]"
        yield _metrics(found)
    if found.comparisons:
        yield f"\n[bold]Against the champion[/] [dim]v{safe(found.champion_version)}, row by row[/]"
        yield _comparisons(found.comparisons)
    if found.checks:
        yield f"\n[bold]Checks[/] [dim]of {safe(name)}[/]"
        yield from _checks(found.checks)
    if found.slices:
        yield from _slices(found.slices)
    if found.fairness:
        yield f"\n[bold]Fairness[/] [dim]of {safe(name)}[/]"
        for gap in found.fairness:
            yield f"  {_fairness(gap)}"
    for picture in found.pictures:
        yield f"  [dim]{safe(picture.reading)}[/]"
    for note in found.notes:
        yield f"  [dim]{safe(note)}[/]"
    if found.files:
        yield f"  [dim]files: {', '.join(safe(file.path) for file in found.files)}[/]"


def _checks(found: list[CheckBody]) -> Iterator[str]:
    for check in found:
        label = "" if check.name == check.expression else f"{safe(check.name)}: "
        mild = " [dim](warns only)[/]" if check.severity == "warn" else ""
        why = f"  [dim]{safe(check.reason)}[/]" if check.reason else ""
        yield f"  {sign(check.status)} {label}{safe(check.expression)}{mild}{why}"


def _rested_on(found: EvidenceBody) -> str:
    """How many rows it was, and how often they were looked at."""
    if found.test_set is None:
        return ""
    looks = found.test_set.looks
    times = "for the first time" if looks == 1 else f"{looks} times by now"
    return f", {found.test_set.rows:,} rows, looked at {times}"


def _metrics(found: EvidenceBody) -> RenderableType:
    """Metrics in a table: only the columns that somebody filled in."""
    champion = {metric.name: number(metric.value) for metric in found.champion_metrics}
    levels = {metric.level for metric in found.metrics if metric.level is not None}
    one_level = levels.pop() if len(levels) == 1 else _USUAL
    columns: dict[str, list[str]] = {
        "": [safe(metric.name) for metric in found.metrics],
        "value": [f"[bold]{safe(number(metric.value))}[/]" for metric in found.metrics],
        f"{one_level * 100:.4g} % between": [interval(metric) for metric in found.metrics],
        "n": ["" if metric.n is None else f"{metric.n:,}" for metric in found.metrics],
        "provenance": [
            "measured" if metric.provenance == "measured" else f"[yellow]{safe(metric.provenance)}[/]"
            for metric in found.metrics
        ],
        f"champion v{safe(found.champion_version)}": [champion.get(metric.name, "") for metric in found.metrics],
    }
    filled = {heading: cells for heading, cells in columns.items() if any(cells)}
    return table(list(filled), list(zip(*filled.values(), strict=True)))


def _comparisons(found: list[ComparisonBody]) -> RenderableType:
    """Differences in a table; the smallest one that so many rows could have shown says what a small one is worth."""
    columns: dict[str, list[str]] = {
        "": [safe(one.metric) for one in found],
        "difference": [f"[bold]{_signed(one.difference.value)}[/]" for one in found],
        "95 % between": [interval(one.difference) for one in found],
        "p": ["" if one.p_value is None else _p(one.p_value) for one in found],
        "rows could show": ["" if one.detectable is None else f"± {number(one.detectable)}" for one in found],
    }
    filled = {heading: cells for heading, cells in columns.items() if any(cells)}
    return table(list(filled), list(zip(*filled.values(), strict=True)), least=("p",))


def _slices(found: list[SliceBody]) -> Iterator[RenderableType]:
    """The worst few, and how many there are."""
    worse = sum(one.status == "worse" for one in found)
    yield f"\n[bold]Slices[/] [dim]{len(found):,} in all, {worse:,} surely worse than the rest; worst first[/]"
    shown = found[:_MOST_SLICES]
    rows = [
        [
            safe(", ".join(f"{column} {value}" for column, value in zip(one.columns, one.values, strict=True))),
            safe(one.metric),
            f"[bold]{safe(number(one.value))}[/]",
            "" if one.interval is None else f"{number(one.interval.low)} to {number(one.interval.high)}",
            f"{one.n:,}",
            _SLICE.get(one.status, safe(one.status)),
        ]
        for one in shown
    ]
    yield table(["slice", "metric", "value", "95 % between", "n", ""], rows, least=("95 % between", "n"), cut="slice")


def _fairness(gap: FairnessBody) -> str:
    """One gap in a line, with the groups that are furthest apart."""
    spread = (
        "" if gap.interval is None else f", 95 % between {number(gap.interval.low)} and {number(gap.interval.high)}"
    )
    known = {group: value for group, value in gap.groups.items() if isinstance(value, float | int)}
    ends = ""
    if len(known) > 1:
        low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        ends = f" [dim]({safe(low)} {number(known[low])}, {safe(high)} {number(known[high])})[/]"
    what = _FAIRNESS.get(gap.definition, safe(gap.definition))
    return f"{safe(gap.column)}, {what}: gap [bold]{number(gap.value)}[/]{spread}{ends}"


def _signed(value: float | str) -> str:
    return safe(value) if isinstance(value, str) else f"{value:+.4g}"


def _p(value: float | str) -> str:
    least = 0.001
    return safe(value) if isinstance(value, str) else (f"{value:.2g}" if value >= least else "< 0.001")
