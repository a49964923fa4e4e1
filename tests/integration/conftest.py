"""The fixture `house`: a whole signoff on a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
