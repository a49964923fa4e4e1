"""The contracts of the architecture hold, and each of them notices when it is broken.

Their text is in pyproject.toml. A contract that nothing can break is worse than none, so every one is broken here on
purpose, in a copy of the package, by a line that somebody might really write.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
CONFIGURATION = TOP / "pyproject.toml"

OFFENCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ladder": (
        ("domain/run.py", "from signoff.store import runs as _runs"),
        ("engine/advance.py", "import signoff.sdk"),
        ("store/runs.py", "from signoff.proof import manifest as _manifest"),
        ("oddments.py", "'''A package without a rung.'''"),
    ),
    "cycles": (
        ("domain/actor.py", "from signoff.domain import gate as _gate"),
        ("spec/problem.py", "def _late() -> None:\n    from signoff.spec.tree import grow"),
    ),
    "domain": (
        ("domain/gate.py", "import structlog"),
        ("domain/evidence.py", "def _late() -> None:\n    import pydantic"),
    ),
    "adapter-kinds": (("adapters/runner/local.py", "from signoff.adapters.blobs import file as _file"),),
    "adapters": (
        ("service/runs.py", "from signoff.adapters.deploy import alias as _alias"),
        ("api/runs.py", "def _late() -> None:\n    import signoff.adapters.runner.local"),
        ("engine/testing.py", "from signoff.adapters.registry import mlflow as _mlflow"),
        ("sdk/snapshot.py", "def _late() -> None:\n    from signoff.adapters.blobs import memory"),
    ),
    "sdk": (
        ("sdk/snapshot.py", "from signoff.spec import read_pipeline as _read"),
        ("wire/body.py", "from signoff.engine import jobs as _jobs"),
        ("sdk/__init__.py", "import psycopg"),
    ),
    "serving": (
        ("serving/load.py", "from signoff.store import database as _database"),
        ("serving/app.py", "from signoff.settings import Settings as _Settings"),
    ),
    "sql": (
        ("engine/tick.py", "from sqlalchemy import text"),
        ("settings.py", "import alembic.command"),
    ),
    "jobs": (("store/queue.py", "from procrastinate import App"),),
    "mlflow": (
        ("adapters/deploy/alias.py", "def _late() -> None:\n    import mlflow.tracking"),
        ("engine/champion.py", "from mlflow import MlflowClient"),
    ),
    "yaml": (("settings.py", "import yaml"),),
    "heavy": (("engine/outputs.py", "def _late() -> None:\n    import pandas as pd"),),
    "chat": (("engine/notifying.py", "def _late() -> None:\n    from apprise import Apprise"),),
    "webhooks": (
        ("service/targets.py", "from standardwebhooks import Webhook as _Webhook"),
        ("adapters/notify/mail.py", "import standardwebhooks"),
    ),
    "outbound": (
        ("service/tokens.py", "def _late() -> None:\n    import httpx2"),
        ("adapters/runner/local.py", "from httpcore2 import ConnectionPool"),
    ),
}
"""Contract id -> lines that must each break it: (file of the package, what is added to its end)."""


def _lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder`."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    command += ["--config", str(CONFIGURATION), *(f"--contract={contract}" for contract in contracts)]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _contracts() -> dict[str, str]:
    """Each contract's id and name."""
    listed = tomllib.loads(CONFIGURATION.read_text())["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract["name"] for contract in listed}


def test_every_contract_holds() -> None:
    result = _lint(TOP / "src")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Contracts: {len(_contracts())} kept, 0 broken." in result.stdout


def test_every_contract_is_broken_on_purpose_below() -> None:
    assert OFFENCES.keys() == _contracts().keys()


@pytest.mark.parametrize("contract", OFFENCES)
def test_breaking_a_contract_is_noticed(contract: str, tmp_path: Path) -> None:
    name = _contracts()[contract]
    whole = tmp_path / "whole"
    shutil.copytree(TOP / "src" / "signoff", whole / "signoff", ignore=shutil.ignore_patterns("__pycache__"))
    for number, (file, line) in enumerate(OFFENCES[contract]):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        with (folder / "signoff" / file).open("a", encoding="utf-8") as offended:
            offended.write(f"\n{line}\n")
        result = _lint(folder, contract)
        assert (result.returncode, f"{name} BROKEN" in result.stdout) == (1, True), (file, line, result.stdout)
