"""The tables of signing in, beside those of `tables`: accounts, sessions, tokens, links, and what sign-ins leave.

Secrets are kept as their sha256 only. Who people are (roles, groups, models) is the document `people`, not here.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from signoff.store.tables import metadata

_WHEN = DateTime(timezone=True)

accounts = Table(
    "accounts",
    metadata,
    Column("person", Text, primary_key=True),
    Column("password_hash", Text),
    Column("password_changed_at", _WHEN),
    Column("issuer", Text),
    Column("subject", Text),
    Column("created_at", _WHEN, nullable=False),
    Index("accounts_issuer_subject_key", "issuer", "subject", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("methods", ARRAY(Text), nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("authenticated_at", _WHEN, nullable=False),
    Column("last_seen_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("idle", Interval, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("agent", Text, nullable=False, server_default=""),
    Column("revoked_at", _WHEN),
    Index("sessions_sha256_key", "sha256", unique=True),
    Index("sessions_person_created_at_idx", "person", "created_at"),
    Index("sessions_expires_at_idx", "expires_at"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("last_used_at", _WHEN),
    Column("revoked_at", _WHEN),
    Column("automation", Text),
    Index("tokens_sha256_key", "sha256", unique=True),
    Index("tokens_person_created_at_idx", "person", "created_at"),
    Index("tokens_expires_at_idx", "expires_at"),
)

links = Table(
    "links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("person", Text),
    Column("by", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("used_at", _WHEN),
    Index("links_sha256_key", "sha256", unique=True),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("transports", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("created_at", _WHEN, nullable=False),
    Column("last_used_at", _WHEN),
    Index("passkeys_person_idx", "person"),
)

challenges = Table(
    "challenges",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text),
    Column("purpose", Text, nullable=False),
    Column("digest", Text),
    Column("challenge", LargeBinary, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("used_at", _WHEN),
    Index("challenges_expires_at_idx", "expires_at"),
)

oidc_states = Table(
    "oidc_states",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("browser", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("return_to", Text, nullable=False, server_default=""),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Index("oidc_states_expires_at_idx", "expires_at"),
)

device_codes = Table(
    "device_codes",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("user_code", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("person", Text),
    Column("client", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("decided_at", _WHEN),
    Column("polled_at", _WHEN),
    Column("polls", Integer, nullable=False, server_default="0"),
    Column("authenticated_at", _WHEN),
    Index("device_codes_user_code_key", "user_code", unique=True),
    Index("device_codes_expires_at_idx", "expires_at"),
)

attempts_to_sign_in = Table(
    "attempts_to_sign_in",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("at", _WHEN, nullable=False),
    Index("attempts_to_sign_in_account_at_idx", "account", "at"),
    Index("attempts_to_sign_in_address_at_idx", "address", "at"),
    Index("attempts_to_sign_in_at_idx", "at"),
)

trusts = Table(
    "trusts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("system", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("repository_id", Text, nullable=False),
    Column("workflow_ref", Text, nullable=False),
    Column("environment", Text),
    Column("person", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Index("trusts_issuer_idx", "issuer"),
)

used_id_tokens = Table(
    "used_id_tokens",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("expires_at", _WHEN, nullable=False),
    Index("used_id_tokens_expires_at_idx", "expires_at"),
)
