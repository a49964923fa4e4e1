"""Audit events are told to whoever listens: what live pages follow."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the function and its trigger."""
    # A plain string is taken as SQL with :parameters.
    op.execute((Path(__file__).parent / "0005_heard.sql").read_text().replace(":", "\\:"))
