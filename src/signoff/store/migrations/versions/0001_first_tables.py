"""The first tables, and the job engine's."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything."""
    here = Path(__file__).parent
    for name in ("0001_jobs.sql", "0001_first_tables.sql"):
        # A plain string is taken as SQL with :parameters.
        op.execute((here / name).read_text().replace(":", "\\:"))
