"""Pictures as files below a folder, and the domain's values that name them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from signoff.domain import evidence
from signoff.evaluation.pictures.picture import Picture


def keep(pictures: Iterable[Picture], folder: Path) -> tuple[evidence.Picture, ...]:
    """Write each as ``<name>.vl.json`` and ``<name>.table.json``; paths are given relative to the parent of `folder`.

    What a command already left under that name stays: the picture gets the next free one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for picture in pictures:
        name = _free(folder, picture.name)
        spec, table = (folder / f"{name}.{kind}.json" for kind in ("vl", "table"))
        spec.write_bytes(picture.spec_json())
        table.write_bytes(picture.table_json())
        paths = [path.relative_to(folder.parent).as_posix() for path in (spec, table)]
        kept.append(evidence.Picture(name, picture.title, picture.reading, *paths))
    return tuple(kept)


def _free(folder: Path, name: str) -> str:
    number, free = 1, name
    while any((folder / f"{free}.{kind}.json").exists() for kind in ("vl", "table")):
        number += 1
        free = f"{name}-{number}"
    return free
