"""The threat model names what keeps a promise and which tests hold it: all are there, and no attack is left out."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "explanation" / "security.md").read_text()
TABLE = PAGE.partition("<!-- begin asvs -->")[2].partition("<!-- end asvs -->")[0]


def test_every_test_and_every_file_that_is_named_is_there() -> None:
    tests = set(re.findall(r"`((?:\w+/)+(?:test_\w+|conftest)\.py)`", TABLE))
    kept = set(re.findall(r"`((?:\w+/)*[\w.]+\.(?:py|html))[`:]", TABLE)) - tests
    assert len(tests) > 40
    assert len(kept) > 40
    assert [name for name in tests if not (TOP / "tests" / name).is_file()] == []
    assert [name for name in kept if not (TOP / "src" / "signoff" / name).is_file()] == []


def test_every_attack_is_named() -> None:
    attacks = {f"attacks/{file.name}" for file in (TOP / "tests" / "attacks").glob("test_*.py")}
    assert sorted(name for name in attacks if name not in PAGE) == []


def test_every_chapter_is_there_or_said_not_to_apply() -> None:
    assert [n for n in range(1, 17) if f"**V{n} " not in TABLE] == []
    assert "V17 (WebRTC)" in PAGE
