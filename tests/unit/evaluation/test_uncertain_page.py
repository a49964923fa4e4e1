"""The page about *uncertain* quotes its simulation, and the simulation judges by the code that judges checks."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from signoff.domain.evidence import CheckStatus

TOP = Path(__file__).parents[3]
PAGE = (TOP / "docs" / "explanation" / "uncertain.md").read_text(encoding="utf-8")


def _script() -> ModuleType:
    spec = spec_from_file_location("draw_uncertain", TOP / "scripts" / "draw_uncertain.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["draw_uncertain"] = module
    spec.loader.exec_module(module)
    return module


SCRIPT: Any = _script()


@pytest.mark.parametrize("rows", [300, 3000])
def test_the_page_quotes_what_the_simulation_gives(rows: int) -> None:
    assert "\n".join(SCRIPT.table(rows)) in PAGE


def test_a_model_at_the_limit_passes_no_more_often_than_promised() -> None:
    (at_limit,) = SCRIPT.simulate(300, [0.9])
    assert at_limit.passes <= 0.025 + 0.005
    assert at_limit.passes + at_limit.fails <= 0.05 + 0.01
    assert at_limit.plain > 0.4


def test_the_answers_rise_with_what_was_right() -> None:
    answers = SCRIPT.answers(300)
    order = [CheckStatus.FAILED, CheckStatus.UNCERTAIN, CheckStatus.PASSED]
    assert answers == sorted(answers, key=order.index)
    assert set(answers) == set(order)


@pytest.mark.parametrize("name", ["uncertain.svg", "uncertain-dark.svg"])
def test_the_committed_picture_is_of_this_simulation(name: str) -> None:
    svg = (TOP / "docs" / "explanation" / name).read_text(encoding="utf-8")
    assert "accuracy &gt; 0.9, tested on 300 rows" in svg
    assert svg.startswith('<svg role="img" aria-label=')
    assert name in PAGE
