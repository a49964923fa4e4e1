"""The page on coverage shows what was simulated: every metric, the misses too."""

from __future__ import annotations

import re
from pathlib import Path

from signoff.evaluation.metrics import METRICS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "interval-coverage.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    table = PAGE[PAGE.index("## Everything") :]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_metric_is_simulated_at_small_and_large_sizes() -> None:
    for table in METRICS.values():
        for name in table:
            sizes = {row[2] for row in rows() if row[1] == name}
            assert sizes >= {"50", "200", "1,000", "25,000"}, name


def test_every_miss_in_the_table_is_named_above_it() -> None:
    missing = [row for row in rows() if "misses" in row[8]]
    named = re.findall(r"^- (\w+) \((.+), ([\d,]+) rows, ", PAGE, flags=re.MULTILINE)
    assert {(row[1], row[0], row[2]) for row in missing} == set(named)


def test_with_a_thousand_rows_and_more_nothing_is_far_off() -> None:
    for row in rows():
        if row[2] in {"1,000", "25,000"}:
            assert float(row[4].split()[0]) >= 91.5, row
