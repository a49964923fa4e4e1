"""Tables without lines that fit: on a narrow terminal the columns that matter least go first, and nothing wraps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from signoff.cli.screen import console

if TYPE_CHECKING:
    from rich.console import RenderableType

_GAP = 2
_SHORTEST = 16
"""What a column that may be cut keeps at least, in columns of a terminal."""


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, least: Sequence[str] = (), cut: str = ""
) -> RenderableType:
    """Columns with headings; cells are rich markup.

    Where there is no room, the columns named in `least` are left out, in that order, and then the column `cut` is
    shortened.
    """
    from rich.table import Table
    from rich.text import Text

    columns = [[row[index] for row in rows] for index in range(len(headings))]
    widths = {
        heading: max(Text.from_markup(cell).cell_len for cell in (heading, *cells))
        for heading, cells in zip(headings, columns, strict=True)
    }
    shown = _fitting(widths | ({cut: min(widths[cut], _SHORTEST)} if cut else {}), least, console().width)
    made = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    for heading in shown:
        made.add_column(heading, no_wrap=True, min_width=None if heading == cut else widths[heading])
    kept = [column for heading, column in zip(headings, columns, strict=True) if heading in shown]
    for cells in zip(*kept, strict=True):
        made.add_row(*cells)
    return made


def _fitting(widths: dict[str, int], least: Sequence[str], room: int) -> list[str]:
    """The headings of the columns that fit into `room` columns of a terminal."""
    shown = list(widths)
    for heading in least:
        if sum(widths[name] + _GAP for name in shown) - _GAP <= room:
            break
        shown.remove(heading)
    return shown
