-- Gates: time, absence, expiry. Runs that review what is deployed already. Environments with a history, revoked
-- approvals, and the glass that is broken in an emergency.

ALTER TABLE runs
    ADD COLUMN kind TEXT DEFAULT 'release' NOT NULL,
    ADD COLUMN parent_id TEXT,
    ADD COLUMN wake_at TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT runs_parent_id_fkey FOREIGN KEY(parent_id) REFERENCES runs (id);

CREATE INDEX runs_parent_id_idx ON runs (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX runs_wake_at_idx ON runs (wake_at) WHERE wake_at IS NOT NULL;

ALTER TABLE attempts
    ADD COLUMN asked JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN answers JSONB DEFAULT '{}' NOT NULL;

ALTER TABLE gates
    ADD COLUMN on_timeout TEXT DEFAULT 'expire' NOT NULL,
    ADD COLUMN escalate_to TEXT[] DEFAULT '{}'::text[] NOT NULL,
    ADD COLUMN expires_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN escalated_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN remind_every INTERVAL,
    ADD COLUMN remind_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN reminders INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN valid_for INTERVAL,
    ADD COLUMN valid_until TIMESTAMP WITH TIME ZONE,
    ADD COLUMN lapsed_at TIMESTAMP WITH TIME ZONE;

CREATE INDEX gates_open_expires_at_idx ON gates (expires_at)
    WHERE status = 'open' AND expires_at IS NOT NULL AND escalated_at IS NULL;

CREATE INDEX gates_open_remind_at_idx ON gates (remind_at) WHERE status = 'open' AND remind_at IS NOT NULL;

CREATE INDEX gates_valid_until_idx ON gates (valid_until)
    WHERE status = 'approved' AND valid_until IS NOT NULL AND lapsed_at IS NULL;

ALTER TABLE decisions ADD COLUMN on_behalf_of TEXT;

CREATE TABLE delegations (
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    delegate TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT delegations_pkey PRIMARY KEY (id)
);

CREATE INDEX delegations_person_until_idx ON delegations (person, until);

CREATE TABLE document_versions (
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    document JSONB NOT NULL,
    applied_by TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT document_versions_pkey PRIMARY KEY (name, number)
);

CREATE TABLE revocations (
    id TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    why TEXT NOT NULL,
    CONSTRAINT revocations_pkey PRIMARY KEY (id)
);

CREATE INDEX revocations_model_version_at_idx ON revocations (model, version, at);

CREATE TABLE emergencies (
    id TEXT NOT NULL,
    environment TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    model_version JSONB NOT NULL,
    why TEXT NOT NULL,
    status TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_by TEXT[] DEFAULT '{}'::text[] NOT NULL,
    former_id TEXT,
    run_id TEXT,
    deployment_id TEXT,
    due_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT emergencies_pkey PRIMARY KEY (id)
);

CREATE INDEX emergencies_due_at_idx ON emergencies (due_at) WHERE status = 'deployed';

CREATE INDEX emergencies_run_id_idx ON emergencies (run_id);

CREATE INDEX emergencies_deployment_id_idx ON emergencies (deployment_id);

CREATE UNIQUE INDEX emergencies_requested_key ON emergencies (environment, model) WHERE status = 'requested';
