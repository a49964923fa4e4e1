"""Decisions name the passkey that confirmed them."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute((Path(__file__).parent / "0009_confirmed.sql").read_text())
