-- Pipelines that a registry's news start, what came of each version, and the webhooks that were taken already.

CREATE TABLE watches (
    name TEXT NOT NULL,
    watched TEXT NOT NULL,
    model TEXT NOT NULL,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    filename TEXT NOT NULL,
    folder_name TEXT,
    snapshot TEXT,
    made_by TEXT[] DEFAULT '{}'::text[] NOT NULL,
    owner TEXT NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen BIGINT NOT NULL,
    problem TEXT,
    problem_at TIMESTAMP WITH TIME ZONE,
    looked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT watches_pkey PRIMARY KEY (name)
);

CREATE UNIQUE INDEX watches_watched_key ON watches (watched);

CREATE TABLE starts (
    model TEXT NOT NULL,
    version BIGINT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    pipeline TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    run_id TEXT,
    why_not TEXT,
    named TEXT[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT starts_pkey PRIMARY KEY (model, version, made_at)
);

CREATE INDEX starts_pipeline_at_idx ON starts (pipeline, at);

CREATE INDEX starts_run_id_idx ON starts (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE used_hooks (
    delivery TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT used_hooks_pkey PRIMARY KEY (delivery)
);

CREATE INDEX used_hooks_expires_at_idx ON used_hooks (expires_at);
