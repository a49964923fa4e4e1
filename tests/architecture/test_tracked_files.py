"""The repository holds nothing of the machine that it was written on, and its lock files fit every machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]

REGISTRY_HOST = re.compile(rb"(?i)\b(?:[\w-]+\.)*(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|artifactory)\b")
CHECKOUT = re.compile(rb"(?<![\w.:/~*-])/(?:home|Users|work|workspaces?|builds?|checkouts?)/[\w.]")
"""An absolute path below a folder where people and build machines keep their checkouts."""

THIS_FILE = Path(__file__).relative_to(TOP)


def _tracked() -> list[Path]:
    """Every file that git tracks here; every file of the tree where there is no git, as in an unpacked archive."""
    if not (TOP / ".git").exists():
        pytest.skip("not a git checkout: which files are tracked cannot be told")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True).stdout
    return [Path(name) for name in listed.decode().split("\0") if name and (TOP / name).is_file()]


@pytest.mark.parametrize("pattern", [REGISTRY_HOST, CHECKOUT], ids=["registry host", "path of a checkout"])
def test_no_tracked_file_names_a(pattern: re.Pattern[bytes]) -> None:
    files = [file for file in _tracked() if file != THIS_FILE]
    assert len(files) > 100
    found = {str(file): match.group() for file in files if (match := pattern.search((TOP / file).read_bytes()))}
    assert found == {}


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (b"see https://pypi.org/project/x", REGISTRY_HOST),
        (b"from https://files.pythonhosted.org/x", REGISTRY_HOST),
        (b'"resolved": "https://registry.npmjs.org/x"', REGISTRY_HOST),
        (b"in /home/alice/signoff", CHECKOUT),
        (b"'/builds/signoff/main'", CHECKOUT),
    ],
)
def test_what_is_looked_for_would_be_found(text: bytes, pattern: re.Pattern[bytes]) -> None:
    assert pattern.search(text)


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_a_lock_file_pins_by_hash_and_names_no_host(name: str) -> None:
    lines = (TOP / "requirements" / name).read_text().splitlines()
    packages = [line for line in lines if re.match(r"\w", line)]
    assert len(packages) > 50
    assert [line for line in packages if not re.match(r"[\w.\-\[\],]+==\S+ .*\\$", line)] == []
    assert [line for line in lines if not line.startswith("#") and ("://" in line or line.startswith("-"))] == []
    starts = [number for number, line in enumerate(lines) if line in packages]
    assert [lines[n] for n in starts if "--hash=sha256:" not in lines[n + 1]] == []
