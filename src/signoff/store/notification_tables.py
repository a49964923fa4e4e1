"""The tables of telling people, beside those of `tables`: targets, deliveries, preferences, and who is who in chats.

A target's address may hold a password of a chat service, and a webhook is signed with the target's secret: both are
needed as they are, so they stand here, and nothing shows them again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from signoff.store.tables import metadata

_WHEN = DateTime(timezone=True)
_NONE = text("'{}'::text[]")

targets = Table(
    "targets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text),
    Column("person", Text),
    Column("events", ARRAY(Text), nullable=False),
    Column("models", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("owner", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("paused_at", _WHEN),
    Column("paused_why", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", _WHEN),
    Column("retry_at", _WHEN),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("event", Text, nullable=False),
    Column("event_index", BigInteger),
    Column("target", Text, nullable=False),
    Column("person", Text),
    Column("run_id", Text),
    Column("gate_id", Text),
    Column("model", Text),
    Column("subject", Text, nullable=False),
    Column("notice", JSONB, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("is_gathered", Boolean, nullable=False, server_default=text("false")),
    Column("status", Text, nullable=False),
    Column("made_at", _WHEN, nullable=False),
    Column("due_at", _WHEN, nullable=False),
    Column("send_at", _WHEN, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("answer", Text, nullable=False, server_default=""),
    Column("ended_at", _WHEN),
    Index("deliveries_waiting_idx", "target", "send_at", "id", postgresql_where=text("status = 'waiting'")),
    Index("deliveries_target_made_at_id_idx", "target", "made_at", "id"),
    Index("deliveries_run_id_made_at_idx", "run_id", "made_at", postgresql_where=text("run_id IS NOT NULL")),
    Index("deliveries_ended_at_idx", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)

preferences = Table(
    "preferences",
    metadata,
    Column("person", Text, primary_key=True),
    Column("document", JSONB),
    Column("unsubscribe", Text, nullable=False, unique=True),
)

chat_accounts = Table(
    "chat_accounts",
    metadata,
    Column("team", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("team_name", Text, nullable=False, server_default=""),
    Column("person", Text, nullable=False),
    Column("linked_at", _WHEN, nullable=False),
    Index("chat_accounts_person_idx", "person"),
)

chat_codes = Table(
    "chat_codes",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("team", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("team_name", Text, nullable=False, server_default=""),
    Column("expires_at", _WHEN, nullable=False),
    Index("chat_codes_expires_at_idx", "expires_at"),
)

chat_calls = Table(
    "chat_calls",
    metadata,
    Column("signature", Text, primary_key=True),
    Column("expires_at", _WHEN, nullable=False),
    Index("chat_calls_expires_at_idx", "expires_at"),
)
