"""The rules import the standard library and each other, and nothing that could read a clock, a file or a network."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import signoff.domain

FILES = sorted(Path(signoff.domain.__file__).parent.glob("**/*.py"))
OUTSIDE = {"asyncio", "http", "io", "os", "pathlib", "random", "secrets", "shutil", "socket", "subprocess", "tempfile"}
OUTSIDE |= {"threading", "time", "urllib", "uuid"}
PURE = {"urllib.parse"}
"""Modules of a package that reaches outside which only read text."""


def imported(file: Path) -> Iterator[str]:
    """Every module that the file names in an import, wherever it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_rules_import_the_standard_library_and_each_other_only(file: Path) -> None:
    foreign = {
        name
        for name in imported(file)
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("signoff.domain")
    }
    assert foreign == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_rules_reach_for_nothing_outside(file: Path) -> None:
    assert {name.partition(".")[0] for name in imported(file) if name not in PURE} & OUTSIDE == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_rules_read_no_clock_and_open_no_file(file: Path) -> None:
    called = {
        ast.unparse(node.func).rpartition(".")[2]
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
    }
    assert called & {"now", "utcnow", "today", "open", "print", "input"} == set()


def test_every_file_of_the_rules_is_looked_at() -> None:
    assert {"run.py", "gate.py", "access.py"} <= {file.name for file in FILES}
