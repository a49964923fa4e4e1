"""Unpacking a folder snapshot on every Python that signoff runs on."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from signoff.adapters.runner.snapshot import unpack
from signoff.domain.errors import SnapshotError


def test_a_python_without_the_data_filter_unpacks_the_same_and_lets_no_link_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 12's own Python, 3.11.2, lacks it."""
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    archive = tmp_path / "old.tar.gz"
    for name, target in (("in/link", "../in/file"), ("out", "../file"), ("out", "/etc"), ("out", "in/link/../x")):
        with tarfile.open(archive, "w:gz") as tar:
            file = tarfile.TarInfo("in/file")
            file.mode = 0o4777
            tar.addfile(file)
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        folder = tmp_path / f"to {target.replace('/', '_')}"
        folder.mkdir()
        if name == "out":
            with pytest.raises(SnapshotError, match="leads out of its folder"):
                unpack(archive, folder)
        else:
            unpack(archive, folder)
            assert (folder / "in/file").stat().st_mode & 0o7777 == 0o755
            assert (folder / "in/link").resolve() == folder / "in/file"
