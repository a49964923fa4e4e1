"""Decisions of a policy say whether it read claimed metrics."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute((Path(__file__).parent / "0010_claimed.sql").read_text())
