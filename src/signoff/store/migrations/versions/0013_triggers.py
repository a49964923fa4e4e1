"""Pipelines that a registry's news start."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.execute((Path(__file__).parent / "0013_triggers.sql").read_text())
