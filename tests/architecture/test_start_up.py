"""`signoff --help` and `signoff validate` stay instant: what is slow to import is imported when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HEAVY = ("mlflow", "pandas", "numpy", "sklearn", "skops", "sqlalchemy", "alembic", "fastapi", "procrastinate")
HAS_COMMAND_LINE = (Path(__file__).parents[2] / "src" / "signoff" / "cli" / "app.py").is_file()

needs_command_line = pytest.mark.skipif(not HAS_COMMAND_LINE, reason="this tree has no command line yet")


def _loaded_after(code: str) -> list[str]:
    """The heavy packages that a fresh interpreter has imported after running `code`."""
    report = f"import sys, json\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    report += f"print('LOADED', json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    result = subprocess.run(
        [sys.executable, "-c", report],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    loaded: list[str] = json.loads(result.stdout.rpartition("LOADED ")[2])
    return loaded


def test_what_is_heavy_is_installed_so_that_its_absence_means_something() -> None:
    assert [name for name in HEAVY if find_spec(name) is None] == []
    assert _loaded_after("import sqlalchemy") == ["sqlalchemy"]


@pytest.mark.parametrize("module", ["signoff", "signoff.settings", "signoff.spec", "signoff.ports", "signoff.proof"])
def test_importing_costs_nothing(module: str) -> None:
    assert _loaded_after(f"import {module}") == []


@needs_command_line
def test_the_command_line_imports_nothing_heavy() -> None:
    assert _loaded_after("import signoff.cli.app") == []


@needs_command_line
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["submit", "--help"], ["validate", "--schema"]])
def test_asking_for_help_imports_nothing_heavy(arguments: list[str]) -> None:
    start = f"sys.argv = ['signoff', *{arguments!r}]; import signoff.cli.app; signoff.cli.app.main()"
    assert _loaded_after(start) == []
