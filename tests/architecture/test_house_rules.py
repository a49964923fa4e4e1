"""House rules that no linter knows: how long files get, what they are named, what the domain leans on."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("file", sorted((PACKAGE / "domain").rglob("*.py")), ids=lambda file: file.name)
def test_the_domain_imports_the_standard_library_and_itself_only(file: Path) -> None:
    found = _imports(file)
    allowed = {name for name in found if name.partition(".")[0] in sys.stdlib_module_names}
    allowed |= {name for name in found if name == "signoff.domain" or name.startswith("signoff.domain.")}
    assert found - allowed == set()


def _imports(file: Path) -> set[str]:
    """Every module that the file imports anywhere, in full."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}:{node.lineno} imports relatively"
            found.add(node.module or "")
    return found


def test_every_module_says_why_it_exists() -> None:
    silent = [str(f.relative_to(PACKAGE)) for f in FILES if not (ast.get_docstring(ast.parse(f.read_text())) or "")]
    assert silent == []
