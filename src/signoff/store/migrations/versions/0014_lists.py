"""Indexes for what lists and pages look for."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    op.execute((Path(__file__).parent / "0014_lists.sql").read_text())
