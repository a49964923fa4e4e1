"""Runs whose tags in the registry are stale."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.execute((Path(__file__).parent / "0015_tags.sql").read_text())
