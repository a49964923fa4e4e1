"""Simulate what a check with three answers does, and draw the picture of docs/explanation/uncertain.md.

    python scripts/draw_uncertain.py

Models of known accuracy are tested many times, each time on other rows. Every outcome is judged by the same code that
judges a check of a pipeline. The page quotes what this prints; a test compares them. Needs the extras `evaluate` and
`pictures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from signoff.domain.evidence import CheckStatus, Interval, Metric, Provenance, Severity
from signoff.domain.expression import Scope, judge_check, parse
from signoff.evaluation.closed_forms import wilson
from signoff.evaluation.pictures.look import Theme, mark, quantity
from signoff.evaluation.static import to_svg

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "explanation"
CHECK = parse("accuracy > 0.9")
LIMIT = 0.9
Z = 1.959963984540054
TESTS = 100_000
SEED = 20261122
DRAWN_ROWS = 300
ACCURACIES = tuple(round(0.80 + i * 0.005, 3) for i in range(39))
QUOTED = (0.86, 0.88, 0.89, 0.9, 0.91, 0.92, 0.94)
WORDS = {CheckStatus.PASSED: "passes", CheckStatus.UNCERTAIN: "people decide", CheckStatus.FAILED: "fails"}


@dataclass(frozen=True)
class Outcome:
    """How often a model of `accuracy`, tested on `rows` rows, gets each answer, and `plain`: passes by its value."""

    accuracy: float
    rows: int
    passes: float
    unsure: float
    fails: float
    plain: float


def answers(rows: int) -> list[CheckStatus]:
    """The check's answer for each number of right rows that `rows` rows can show."""
    found = []
    for right in range(rows + 1):
        low, high = wilson(right / rows, rows, Z)
        metric = Metric("accuracy", right / rows, Provenance.MEASURED, Interval(low, high, 0.95, "wilson"), rows)
        scope = Scope({"accuracy": metric}, {}, None, "1", {}, 1)
        found.append(judge_check("check", CHECK, scope, Severity.FAIL).status)
    return found


def simulate(rows: int, accuracies: Sequence[float]) -> list[Outcome]:
    """The outcomes of `TESTS` tests of each accuracy."""
    known = answers(rows)
    masks = [np.array([answer is wanted for answer in known]) for wanted in WORDS]
    random = np.random.default_rng(SEED)
    outcomes = []
    for accuracy in accuracies:
        right = random.binomial(rows, accuracy, TESTS)
        passes, unsure, fails = (float(mask[right].mean()) for mask in masks)
        outcomes.append(Outcome(accuracy, rows, passes, unsure, fails, float(np.mean(right / rows > LIMIT))))
    return outcomes


def table(rows: int) -> list[str]:
    """The page's table for so many rows, line by line."""
    lines = [
        "| true accuracy | passes | people decide | fails | a plain `>` would pass |",
        "|---|---|---|---|---|",
    ]
    for o in simulate(rows, QUOTED):
        shares = " | ".join(f"{share * 100:.1f} %" for share in (o.passes, o.unsure, o.fails, o.plain))
        lines.append(f"| {o.accuracy:.2f} | {shares} |")
    return lines


def picture(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Three areas that add up to one over the true accuracy, and what a plain comparison would pass."""
    rows = [
        {"accuracy": o.accuracy, "answer": word, "share": share, "order": order}
        for o in outcomes
        for order, (word, share) in enumerate(zip(WORDS.values(), (o.passes, o.unsure, o.fails), strict=True))
    ]
    plain = [{"accuracy": o.accuracy, "share": o.plain} for o in outcomes]
    x = quantity("accuracy", "True accuracy of the model", domain=(ACCURACIES[0], ACCURACIES[-1]))
    y = quantity("share", "How often", share=True, domain=(0, 1))
    words = list(WORDS.values())
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": (
            f"A check accuracy > {LIMIT} on {DRAWN_ROWS} rows, by the model's true accuracy. Far below the limit it "
            "fails, far above it passes, and around it people decide. A plain comparison would pass models below the "
            "limit up to half of the time."
        ),
        "usermeta": {
            "title": f"accuracy > {LIMIT}, tested on {DRAWN_ROWS} rows",
            "subtitle": "The dashed curve is how often a plain comparison passes; the upright line is the limit",
        },
        "width": 480,
        "height": 260,
        "autosize": {"type": "fit", "contains": "padding"},
        "layer": [
            {
                "data": {"values": rows},
                "mark": mark("area", opacity=0.75),
                "encoding": {
                    "x": x,
                    "y": {**y, "stack": "zero"},
                    "order": {"field": "order", "type": "quantitative"},
                    "color": {
                        "field": "answer",
                        "type": "nominal",
                        "scale": {"domain": words, "range": "category"},
                        "legend": {"orient": "top", "title": None, "symbolType": "square"},
                    },
                },
            },
            {
                "data": {"values": plain},
                "mark": mark("line", "cell-note", strokeDash=[6, 3], strokeWidth=2),
                "encoding": {"x": x, "y": y},
            },
            {"data": {"values": [{}]}, "mark": mark("rule", "cell-note"), "encoding": {"x": {"datum": LIMIT}}},
        ],
    }


def main() -> None:
    """Print the figures, and write the picture for both themes."""
    for rows in (300, 3000):
        print(f"{rows:,} rows, {TESTS:,} tests each, seed {SEED}", *table(rows), sep="\n")
    spec = picture(simulate(DRAWN_ROWS, ACCURACIES))
    themes: dict[Theme, str] = {"light": "uncertain.svg", "dark": "uncertain-dark.svg"}
    for theme, name in themes.items():
        (FOLDER / name).write_text(to_svg(spec, theme, width=640) + "\n", encoding="utf-8")
        print(f"{name}: written")


if __name__ == "__main__":
    main()
