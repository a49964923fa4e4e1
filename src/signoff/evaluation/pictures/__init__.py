"""Pictures as Vega-Lite specifications with their tables beside them: one small file per kind of picture.

Imported by `report` and by the worker's engine code, inside functions. `draw` gives all that predictions can show;
`against_limit`, `forest` and `history` are of results; `keep` writes them to files. Nothing is drawn here: a page does,
or `evaluation.static`.
"""

from signoff.evaluation.pictures.against_limit import against_limit
from signoff.evaluation.pictures.album import draw
from signoff.evaluation.pictures.forest import forest
from signoff.evaluation.pictures.history import Measured, history
from signoff.evaluation.pictures.look import Names, Theme, configuration
from signoff.evaluation.pictures.picture import MOST_POINTS, Column, Picture, Table
from signoff.evaluation.pictures.shelf import keep

__all__ = [
    "MOST_POINTS",
    "Column",
    "Measured",
    "Names",
    "Picture",
    "Table",
    "Theme",
    "against_limit",
    "configuration",
    "draw",
    "forest",
    "history",
    "keep",
]
