"""Accounts of chats that are people here."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.execute((Path(__file__).parent / "0011_chat.sql").read_text())
