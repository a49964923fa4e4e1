"""The manifest of a model of 1 GB against bare sha256 of the same bytes.

    python benchmarks/manifest.py [--megabytes 1024] [--files 1 8] [--rounds 3]

Both read the same files, warm in the page cache, in turns; the bare one is `hashlib.file_digest`, file after file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stage import about, report

from signoff.proof.manifest import manifest_of


def write_model(folder: Path, megabytes: int, files: int) -> None:
    """A model of so many equal files of random bytes."""
    folder.mkdir()
    block = os.urandom(1 << 20)
    for number in range(files):
        with (folder / f"weights-{number}").open("wb") as file:
            for part in range(megabytes // files):
                file.write(part.to_bytes(8, "big") + block[8:])


def bare(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")


def seconds(act: Callable[[Path], object], folder: Path) -> float:
    began = time.perf_counter()
    act(folder)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--files", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    known = about()
    print(known)
    figures: dict[str, object] = {"megabytes": arguments.megabytes}
    for files in arguments.files:
        with tempfile.TemporaryDirectory(prefix="signoff-bench-") as room:
            folder = Path(room) / "model"
            write_model(folder, arguments.megabytes, files)
            bare(folder)  # warms the page cache
            theirs, mine = [], []
            for _ in range(arguments.rounds):
                theirs.append(seconds(bare, folder))
                mine.append(seconds(manifest_of, folder))
        word = "1_file" if files == 1 else f"{files}_files"
        figures[f"sha256_{word}_seconds"] = round(statistics.median(theirs), 2)
        figures[f"manifest_{word}_seconds"] = round(statistics.median(mine), 2)
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        figures[f"ratio_{word}"] = round(statistics.median(ratios), 2)
    report("manifest", known, figures)


if __name__ == "__main__":
    main()
