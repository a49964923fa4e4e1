CREATE TABLE targets (
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT,
    person TEXT,
    events TEXT[] NOT NULL,
    models TEXT[] DEFAULT '{}'::text[] NOT NULL,
    owner TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE,
    paused_why TEXT DEFAULT '' NOT NULL,
    failures INTEGER DEFAULT '0' NOT NULL,
    failing_since TIMESTAMP WITH TIME ZONE,
    retry_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT targets_pkey PRIMARY KEY (name)
);

CREATE TABLE deliveries (
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    event TEXT NOT NULL,
    event_index BIGINT,
    target TEXT NOT NULL,
    person TEXT,
    run_id TEXT,
    gate_id TEXT,
    model TEXT,
    subject TEXT NOT NULL,
    notice JSONB NOT NULL,
    data JSONB NOT NULL,
    is_gathered BOOLEAN DEFAULT false NOT NULL,
    status TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    send_at TIMESTAMP WITH TIME ZONE NOT NULL,
    tries INTEGER DEFAULT '0' NOT NULL,
    answer TEXT DEFAULT '' NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT deliveries_key_key UNIQUE (key)
);

CREATE INDEX deliveries_waiting_idx ON deliveries (target, send_at, id) WHERE status = 'waiting';

CREATE INDEX deliveries_target_made_at_id_idx ON deliveries (target, made_at, id);

CREATE INDEX deliveries_run_id_made_at_idx ON deliveries (run_id, made_at) WHERE run_id IS NOT NULL;

CREATE INDEX deliveries_ended_at_idx ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE preferences (
    person TEXT NOT NULL,
    document JSONB,
    unsubscribe TEXT NOT NULL,
    CONSTRAINT preferences_pkey PRIMARY KEY (person),
    CONSTRAINT preferences_unsubscribe_key UNIQUE (unsubscribe)
);
