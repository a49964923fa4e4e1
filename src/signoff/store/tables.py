"""The tables, as SQLAlchemy Core sees them. The migrations make them; a test holds the two together.

Columns are what is searched, joined or fenced on; what is only read whole is a JSONB document of a domain value.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)
_WHEN = DateTime(timezone=True)
_NONE = text("'{}'::text[]")

pipelines = Table(
    "pipelines",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("created_at", _WHEN, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("uploaded_by", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("pipeline_digest", Text, ForeignKey("pipelines.digest"), nullable=False),
    Column("snapshot_digest", Text),
    Column("status", Text, nullable=False),
    Column("submitter", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("attempt", Integer, nullable=False),
    Column("version", Text),
    Column("step", Text),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_at", _WHEN, nullable=False),
    Column("updated_at", _WHEN, nullable=False),
    Column("ended_at", _WHEN),
    Column("kind", Text, nullable=False, server_default="release"),
    Column("parent_id", Text, ForeignKey("runs.id")),
    Column("wake_at", _WHEN),
    Index("runs_parent_id_idx", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    Index("runs_wake_at_idx", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
    Index("runs_created_at_id_idx", "created_at", "id"),
    Index("runs_model_created_at_id_idx", "model", "created_at", "id"),
    Index("runs_status_created_at_id_idx", "status", "created_at", "id"),
    Index("runs_submitter_created_at_id_idx", "submitter", "created_at", "id"),
    Index("runs_id_pattern_idx", "id", postgresql_ops={"id": "text_pattern_ops"}),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("cause", Text, nullable=False),
    Column("version", JSONB),
    Column("contributors", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("note", Text, nullable=False, server_default=""),
    Column("started_at", _WHEN, nullable=False),
    Column("asked", JSONB, nullable=False, server_default=text("'[]'")),
    Column("answers", JSONB, nullable=False, server_default=text("'{}'")),
    Index("attempts_model_version_idx", text("(version ->> 'model')"), text("(version ->> 'version')")),
)

steps = Table(
    "steps",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("started_at", _WHEN),
    Column("ended_at", _WHEN),
    Column("evidence_digest", Text),
    Column("training_run_id", Text),
    Column("log_digest", Text),
    Column("error", Text),
    Column("note", Text, nullable=False, server_default=""),
    Column("has_failed_checks", Boolean, nullable=False, server_default=text("false")),
)

gates = Table(
    "gates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("step", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("subject", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("rules", JSONB, nullable=False),
    Column("environment_rules", JSONB, nullable=False),
    Column("approvers", ARRAY(Text), nullable=False),
    Column("excluded", ARRAY(Text), nullable=False),
    Column("contributors", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("checklist", ARRAY(Text), nullable=False),
    Column("opened_at", _WHEN, nullable=False),
    Column("closed_at", _WHEN),
    Column("note", Text, nullable=False, server_default=""),
    Column("on_timeout", Text, nullable=False, server_default="expire"),
    Column("escalate_to", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("expires_at", _WHEN),
    Column("escalated_at", _WHEN),
    Column("remind_every", Interval),
    Column("remind_at", _WHEN),
    Column("reminders", Integer, nullable=False, server_default="0"),
    Column("valid_for", Interval),
    Column("valid_until", _WHEN),
    Column("lapsed_at", _WHEN),
    Column("warned_at", _WHEN),
    Index(
        "gates_open_expires_at_idx",
        "expires_at",
        postgresql_where=text("status = 'open' AND expires_at IS NOT NULL AND escalated_at IS NULL"),
    ),
    Index(
        "gates_open_remind_at_idx",
        "remind_at",
        postgresql_where=text("status = 'open' AND remind_at IS NOT NULL"),
    ),
    Index(
        "gates_valid_until_idx",
        "valid_until",
        postgresql_where=text("status = 'approved' AND valid_until IS NOT NULL AND lapsed_at IS NULL"),
    ),
    Index("gates_run_id_attempt_step_round_key", "run_id", "attempt", "step", "round", unique=True),
    Index("gates_model_version_idx", "model", text("(subject ->> 'version')")),
    Index("gates_open_idx", "opened_at", "id", postgresql_where=text("status = 'open'")),
    Index("gates_open_approvers_idx", "approvers", postgresql_using="gin", postgresql_where=text("status = 'open'")),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gate_id", Text, ForeignKey("gates.id"), nullable=False),
    Column("by", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
    Column("reasons", JSONB, nullable=False),
    Column("ticked", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("saw", JSONB, nullable=False),
    Column("at", _WHEN, nullable=False),
    Column("is_withdrawn", Boolean, nullable=False, server_default=text("false")),
    Column("on_behalf_of", Text),
    Column("passkey", Text),
    Column("is_claimed", Boolean, nullable=False, server_default=text("false")),
    Index("decisions_gate_id_idx", "gate_id"),
    Index("decisions_gate_id_by_key", "gate_id", "by", unique=True, postgresql_where=text("NOT is_withdrawn")),
)

comments = Table(
    "comments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", _WHEN, nullable=False),
    Index("comments_run_id_at_idx", "run_id", "at"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("test_set", Text),
    Index("evidence_run_id_attempt_idx", "run_id", "attempt"),
    Index("evidence_test_set_idx", "test_set", postgresql_where=text("test_set IS NOT NULL")),
)

predictions = Table(
    "predictions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Index("predictions_digest_idx", "digest"),
)

evidence_files = Table(
    "evidence_files",
    metadata,
    Column("evidence_digest", Text, ForeignKey("evidence.digest"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Index("evidence_files_digest_idx", "digest"),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("environment", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("model_version", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("address", Text),
    Column("started_at", _WHEN, nullable=False),
    Column("live_at", _WHEN),
    Column("ended_at", _WHEN),
    Index("deployments_live_key", "environment", "model", unique=True, postgresql_where=text("status = 'live'")),
    Index(
        "deployments_deploying_key",
        "environment",
        "model",
        unique=True,
        postgresql_where=text("status = 'deploying'"),
    ),
    Index("deployments_environment_model_started_at_idx", "environment", "model", "started_at"),
    Index("deployments_model_started_at_idx", "model", "started_at"),
    Index("deployments_started_at_idx", "started_at"),
    Index("deployments_run_id_idx", "run_id"),
)

log_chunks = Table(
    "log_chunks",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("index", BigInteger, Identity(always=True), primary_key=True),
    Column("type", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", _WHEN, nullable=False),
    Column("run_id", Text),
    Column("model", Text),
    Column("detail", JSONB, nullable=False),
    Index("audit_events_run_id_index_idx", "run_id", "index"),
    Index("audit_events_model_index_idx", "model", "index"),
    Index("audit_events_type_index_idx", "type", "index"),
    Index("audit_events_actor_index_idx", "actor", "index"),
)

documents = Table(
    "documents",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("applied_at", _WHEN, nullable=False),
)

document_versions = Table(
    "document_versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("applied_by", Text, nullable=False),
    Column("applied_at", _WHEN, nullable=False),
)

delegations = Table(
    "delegations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("delegate", Text, nullable=False),
    Column("since", _WHEN, nullable=False),
    Column("until", _WHEN, nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("ended_at", _WHEN),
    Index("delegations_person_until_idx", "person", "until"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", _WHEN, nullable=False),
    Column("why", Text, nullable=False),
    Index("revocations_model_version_at_idx", "model", "version", "at"),
)

emergencies = Table(
    "emergencies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("model_version", JSONB, nullable=False),
    Column("why", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", _WHEN, nullable=False),
    Column("confirmed_by", ARRAY(Text), nullable=False, server_default=_NONE),
    Column("former_id", Text),
    Column("run_id", Text),
    Column("deployment_id", Text),
    Column("due_at", _WHEN),
    Column("ended_at", _WHEN),
    Column("note", Text, nullable=False, server_default=""),
    Index("emergencies_run_id_idx", "run_id"),
    Index("emergencies_deployment_id_idx", "deployment_id"),
    Index("emergencies_due_at_idx", "due_at", postgresql_where=text("status = 'deployed'")),
    Index(
        "emergencies_requested_key",
        "environment",
        "model",
        unique=True,
        postgresql_where=text("status = 'requested'"),
    ),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
)
