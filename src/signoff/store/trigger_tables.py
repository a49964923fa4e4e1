"""The tables of what a registry's news start, and of what it was not told yet, beside those of `tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from signoff.store.tables import metadata

_WHEN = DateTime(timezone=True)
_NONE = text("'{}'::text[]")

watches = Table(
    "watches",
    metadata,
    Column("name", Text, primary_key=True),
    Column("watched", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("folder_name", Text),
    Column("snapshot", Text),
    Column("made_by", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("owner", Text, nullable=False),
    Column("added_at", _WHEN, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("problem", Text),
    Column("problem_at", _WHEN),
    Column("looked_at", _WHEN),
    Index("watches_watched_key", "watched", unique=True),
)

starts = Table(
    "starts",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("made_at", _WHEN, primary_key=True),
    Column("pipeline", Text, nullable=False),
    Column("at", _WHEN, nullable=False),
    Column("run_id", Text),
    Column("why_not", Text),
    Column("named", ARRAY(Text), nullable=False, server_default=_NONE),
    Index("starts_pipeline_at_idx", "pipeline", "at"),
    Index("starts_run_id_idx", "run_id", postgresql_where=text("run_id IS NOT NULL")),
)

used_hooks = Table(
    "used_hooks",
    metadata,
    Column("delivery", Text, primary_key=True),
    Column("expires_at", _WHEN, nullable=False),
    Index("used_hooks_expires_at_idx", "expires_at"),
)

stale_tags = Table(
    "stale_tags",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("since", _WHEN, nullable=False),
)
