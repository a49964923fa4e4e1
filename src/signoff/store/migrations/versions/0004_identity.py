"""Accounts, sessions, tokens, one-time links and what signing in needs; the old credentials move there."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, move the credentials, drop their table."""
    # A plain string is taken as SQL with :parameters.
    op.execute((Path(__file__).parent / "0004_identity.sql").read_text().replace(":", "\\:"))
