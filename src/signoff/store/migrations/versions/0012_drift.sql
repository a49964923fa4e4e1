ALTER TABLE gates ADD COLUMN warned_at TIMESTAMP WITH TIME ZONE;

CREATE TABLE drifts (
    id TEXT NOT NULL,
    environment TEXT NOT NULL,
    model TEXT NOT NULL,
    seen_by TEXT NOT NULL,
    alias TEXT NOT NULL,
    version TEXT,
    digest TEXT,
    signed_version TEXT,
    signed_digest TEXT,
    signed_kind TEXT,
    run_id TEXT,
    found_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT drifts_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX drifts_open_key ON drifts (environment, model, seen_by) WHERE ended_at IS NULL;

CREATE TABLE adoptions (
    run_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    why TEXT NOT NULL,
    by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT adoptions_pkey PRIMARY KEY (run_id),
    CONSTRAINT adoptions_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs (id)
);

CREATE INDEX adoptions_owed_due_at_idx ON adoptions (due_at) WHERE status IN ('owed', 'escalated');
