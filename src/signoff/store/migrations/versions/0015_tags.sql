-- Runs whose status could not be written into the registry's tags; the next tick tries again.

CREATE TABLE stale_tags (
    run_id TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT stale_tags_pkey PRIMARY KEY (run_id)
);
