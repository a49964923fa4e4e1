-- The first tables. Never edited once released: a change is a new revision.

CREATE TABLE audit_events (
    index BIGINT GENERATED ALWAYS AS IDENTITY,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    run_id TEXT,
    model TEXT,
    detail JSONB NOT NULL,
    CONSTRAINT audit_events_pkey PRIMARY KEY (index)
);

CREATE INDEX audit_events_model_index_idx ON audit_events (model, index);

CREATE INDEX audit_events_run_id_index_idx ON audit_events (run_id, index);

CREATE TABLE credentials (
    sha256 TEXT NOT NULL,
    person TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT credentials_pkey PRIMARY KEY (sha256)
);

CREATE INDEX credentials_person_kind_idx ON credentials (person, kind);

CREATE TABLE documents (
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    document JSONB NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT documents_pkey PRIMARY KEY (name)
);

CREATE TABLE idempotency_keys (
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    run_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (actor, key)
);

CREATE TABLE log_chunks (
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    step TEXT NOT NULL,
    start BIGINT NOT NULL,
    data BYTEA NOT NULL,
    CONSTRAINT log_chunks_pkey PRIMARY KEY (run_id, attempt, step, start)
);

CREATE TABLE pipelines (
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    document JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pipelines_pkey PRIMARY KEY (digest)
);

CREATE TABLE snapshots (
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    uploaded_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (digest)
);

CREATE TABLE steps (
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    tries INTEGER DEFAULT '0' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    evidence_digest TEXT,
    training_run_id TEXT,
    log_digest TEXT,
    error TEXT,
    note TEXT DEFAULT '' NOT NULL,
    has_failed_checks BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT steps_pkey PRIMARY KEY (run_id, attempt, name)
);

CREATE TABLE runs (
    id TEXT NOT NULL,
    model TEXT NOT NULL,
    pipeline_digest TEXT NOT NULL,
    snapshot_digest TEXT,
    status TEXT NOT NULL,
    submitter TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    attempt INTEGER NOT NULL,
    version TEXT,
    step TEXT,
    epoch BIGINT DEFAULT '0' NOT NULL,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT runs_pkey PRIMARY KEY (id),
    CONSTRAINT runs_pipeline_digest_fkey FOREIGN KEY(pipeline_digest) REFERENCES pipelines (digest)
);

CREATE INDEX runs_created_at_id_idx ON runs (created_at, id);

CREATE INDEX runs_id_pattern_idx ON runs (id text_pattern_ops);

CREATE INDEX runs_model_created_at_id_idx ON runs (model, created_at, id);

CREATE INDEX runs_status_created_at_id_idx ON runs (status, created_at, id);

CREATE TABLE attempts (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    cause TEXT NOT NULL,
    version JSONB,
    contributors TEXT[] DEFAULT '{}'::text[] NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (run_id, number),
    CONSTRAINT attempts_run_id_fkey FOREIGN KEY(run_id) REFERENCES runs (id)
);

CREATE TABLE comments (
    id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    by TEXT NOT NULL,
    body TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT comments_pkey PRIMARY KEY (id),
    CONSTRAINT comments_run_id_fkey FOREIGN KEY(run_id) REFERENCES runs (id)
);

CREATE INDEX comments_run_id_at_idx ON comments (run_id, at);

CREATE TABLE deployments (
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    environment TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    model_version JSONB NOT NULL,
    status TEXT NOT NULL,
    kind TEXT NOT NULL,
    run_id TEXT NOT NULL,
    by TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    address TEXT,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    live_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT deployments_pkey PRIMARY KEY (id),
    CONSTRAINT deployments_key_key UNIQUE (key),
    CONSTRAINT deployments_run_id_fkey FOREIGN KEY(run_id) REFERENCES runs (id)
);

CREATE UNIQUE INDEX deployments_deploying_key ON deployments (environment, model) WHERE status = 'deploying';

CREATE INDEX deployments_environment_model_started_at_idx ON deployments (environment, model, started_at);

CREATE UNIQUE INDEX deployments_live_key ON deployments (environment, model) WHERE status = 'live';

CREATE INDEX deployments_run_id_idx ON deployments (run_id);

CREATE TABLE evidence (
    digest TEXT NOT NULL,
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    step TEXT NOT NULL,
    document JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT evidence_pkey PRIMARY KEY (digest),
    CONSTRAINT evidence_run_id_fkey FOREIGN KEY(run_id) REFERENCES runs (id)
);

CREATE INDEX evidence_run_id_attempt_idx ON evidence (run_id, attempt);

CREATE TABLE gates (
    id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    round INTEGER NOT NULL,
    status TEXT NOT NULL,
    model TEXT NOT NULL,
    subject JSONB NOT NULL,
    digest TEXT NOT NULL,
    rules JSONB NOT NULL,
    environment_rules JSONB NOT NULL,
    approvers TEXT[] NOT NULL,
    excluded TEXT[] NOT NULL,
    checklist TEXT[] NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT gates_pkey PRIMARY KEY (id),
    CONSTRAINT gates_run_id_fkey FOREIGN KEY(run_id) REFERENCES runs (id)
);

CREATE INDEX gates_open_approvers_idx ON gates USING gin (approvers) WHERE status = 'open';

CREATE INDEX gates_open_idx ON gates (opened_at, id) WHERE status = 'open';

CREATE UNIQUE INDEX gates_run_id_attempt_step_round_key ON gates (run_id, attempt, step, round);

CREATE TABLE decisions (
    id TEXT NOT NULL,
    gate_id TEXT NOT NULL,
    by TEXT NOT NULL,
    verdict TEXT NOT NULL,
    digest TEXT NOT NULL,
    comment TEXT DEFAULT '' NOT NULL,
    reasons JSONB NOT NULL,
    ticked TEXT[] DEFAULT '{}'::text[] NOT NULL,
    saw JSONB NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    is_withdrawn BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT decisions_pkey PRIMARY KEY (id),
    CONSTRAINT decisions_gate_id_fkey FOREIGN KEY(gate_id) REFERENCES gates (id)
);

CREATE UNIQUE INDEX decisions_gate_id_by_key ON decisions (gate_id, by) WHERE NOT is_withdrawn;

CREATE TABLE evidence_files (
    evidence_digest TEXT NOT NULL,
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    CONSTRAINT evidence_files_pkey PRIMARY KEY (evidence_digest, path),
    CONSTRAINT evidence_files_evidence_digest_fkey FOREIGN KEY(evidence_digest) REFERENCES evidence (digest)
);

CREATE INDEX evidence_files_digest_idx ON evidence_files (digest);

-- The audit log only grows, whoever connects.
CREATE FUNCTION signoff_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only';
END
$$;

CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION signoff_audit_is_append_only();

CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION signoff_audit_is_append_only();
