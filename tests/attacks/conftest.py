"""The fixture `scene`: attacks are made on a whole signoff, in one process, with something behind every id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from every_route import Scene
    from house import House


@pytest.fixture
def scene(house: House) -> Scene:
    """A house with something behind every id: see `tests/every_route.py`."""
    from every_route import Scene

    return Scene.of(house)
