"""The fixture `house`, as in `integration/`: attacks are made on a whole signoff, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from every_route import Scene
    from house import House


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    """The cast at work: see `tests/house.py`."""
    from house import House

    folder = tmp_path / "house"
    folder.mkdir()
    made = House(database_url, folder)
    yield made
    made.close()


@pytest.fixture
def scene(house: House) -> Scene:
    """A house with something behind every id: see `tests/every_route.py`."""
    from every_route import Scene

    return Scene.of(house)
