"""House rules that no linter knows: how long files get and what they are named."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "signoff"
MOST_LINES = 400
NAMES_OF_ROLES = {"util", "utils", "helper", "helpers", "common", "base", "manager", "models", "misc"}
FILES = sorted(PACKAGE.rglob("*.py"))


def test_there_are_files_to_judge() -> None:
    assert len(FILES) > 50


def test_no_file_grows_past_400_lines() -> None:
    lengths = {str(file.relative_to(PACKAGE)): len(file.read_text().splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_files_are_named_after_nouns_of_the_domain_not_after_roles() -> None:
    parts = {part for file in FILES for part in file.relative_to(PACKAGE).with_suffix("").parts}
    assert parts & NAMES_OF_ROLES == set()


def test_every_module_says_why_it_exists() -> None:
    silent = [str(f.relative_to(PACKAGE)) for f in FILES if not (ast.get_docstring(ast.parse(f.read_text())) or "")]
    assert silent == []
