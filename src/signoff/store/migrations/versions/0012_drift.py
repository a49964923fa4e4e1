"""What was found beside what was signed off, what was adopted, and which approvals were warned about."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the column."""
    op.execute((Path(__file__).parent / "0012_drift.sql").read_text())
