"""The tables of what was found in environments beside what was signed off, and of what was adopted there.

As `tables`, whose metadata they share.
"""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Index, Table, Text, text

from signoff.store.tables import metadata

_WHEN = DateTime(timezone=True)

drifts = Table(
    "drifts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("seen_by", Text, nullable=False),
    Column("alias", Text, nullable=False),
    Column("version", Text),
    Column("digest", Text),
    Column("signed_version", Text),
    Column("signed_digest", Text),
    Column("signed_kind", Text),
    Column("run_id", Text),
    Column("found_at", _WHEN, nullable=False),
    Column("ended_at", _WHEN),
    Column("note", Text, nullable=False, server_default=""),
    Index(
        "drifts_open_key",
        "environment",
        "model",
        "seen_by",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
)

adoptions = Table(
    "adoptions",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id"), primary_key=True),
    Column("environment", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", _WHEN, nullable=False),
    Column("due_at", _WHEN, nullable=False),
    Column("status", Text, nullable=False),
    Column("ended_at", _WHEN),
    Column("note", Text, nullable=False, server_default=""),
    Index("adoptions_owed_due_at_idx", "due_at", postgresql_where=text("status IN ('owed', 'escalated')")),
)
