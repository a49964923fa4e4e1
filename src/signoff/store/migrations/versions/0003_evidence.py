"""How often the same rows were looked at, and what a version predicted by which command."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables."""
    # A plain string is taken as SQL with :parameters.
    op.execute((Path(__file__).parent / "0003_evidence.sql").read_text().replace(":", "\\:"))
