"""How programs come in: device codes know when their person signed in, CI jobs are trusted, id tokens used once."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the tables."""
    # A plain string is taken as SQL with :parameters.
    op.execute((Path(__file__).parent / "0007_machines.sql").read_text().replace(":", "\\:"))
