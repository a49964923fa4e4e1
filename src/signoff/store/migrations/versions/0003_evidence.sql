ALTER TABLE evidence ADD COLUMN test_set TEXT;

CREATE INDEX evidence_test_set_idx ON evidence (test_set) WHERE test_set IS NOT NULL;

CREATE TABLE predictions (
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT predictions_pkey PRIMARY KEY (key)
);

CREATE INDEX predictions_digest_idx ON predictions (digest);
