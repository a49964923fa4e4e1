"""Targets, deliveries and preferences: telling people and machines."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    # A plain string is taken as SQL with :parameters.
    op.execute((Path(__file__).parent / "0008_notifications.sql").read_text().replace(":", "\\:"))
