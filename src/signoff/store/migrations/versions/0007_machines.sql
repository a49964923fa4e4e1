-- How programs come in: what a person knew when they confirmed a code, which CI jobs are trusted, and the id tokens
-- that were exchanged (by their own number), so that none is used twice.

ALTER TABLE device_codes ADD COLUMN authenticated_at TIMESTAMP WITH TIME ZONE;

CREATE TABLE trusts (
    name TEXT NOT NULL,
    system TEXT NOT NULL,
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    repository_id TEXT NOT NULL,
    workflow_ref TEXT NOT NULL,
    environment TEXT,
    person TEXT NOT NULL,
    by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT trusts_pkey PRIMARY KEY (name)
);

CREATE INDEX trusts_issuer_idx ON trusts (issuer);

CREATE TABLE used_id_tokens (
    issuer TEXT NOT NULL,
    number TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT used_id_tokens_pkey PRIMARY KEY (issuer, number)
);

CREATE INDEX used_id_tokens_expires_at_idx ON used_id_tokens (expires_at);
