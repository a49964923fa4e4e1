"""Gates that know time and absence, environments with a history, revoked approvals, emergencies."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables."""
    # A plain string is taken as SQL with :parameters.
    op.execute((Path(__file__).parent / "0002_gates.sql").read_text().replace(":", "\\:"))
