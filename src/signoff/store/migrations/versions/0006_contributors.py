"""Gates keep who submitted and contributed, apart from whom the pipeline excludes: no environment counts them."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, with what can be known of gates that were opened before."""
    op.execute((Path(__file__).parent / "0006_contributors.sql").read_text())
