"""Where a machine has no browser, root gets Debian's, once, and hears of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import browsers


class Machine:
    """A machine with apt-get and no browser, until one is installed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.asked: list[str] = []
        self.has_browser = False
        self.is_broken = False
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(shutil, "which", lambda name: name if name == "apt-get" or self.has_browser else None)
        monkeypatch.setattr(browsers, "LOCK", folder / "lock")

    def run(self, words: list[str], **_: Any) -> None:
        self.asked.append(words[2])
        if self.is_broken:
            raise subprocess.CalledProcessError(100, words)
        self.has_browser = self.has_browser or "chromium" in words


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_root_gets_debians_browser_once(machine: Machine) -> None:
    assert browsers.install(machine.run)
    assert browsers.install(machine.run)
    assert machine.asked == ["update", "install"]


def test_where_it_cannot_be_installed_the_tests_are_skipped(machine: Machine) -> None:
    machine.is_broken = True
    assert not browsers.install(machine.run)
    assert machine.asked == ["update"]


def test_nobody_but_root_installs_anything(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not browsers.install(machine.run)
    assert machine.asked == []
