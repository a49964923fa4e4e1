-- What signing in needs. Secrets are kept as their sha256 only.

CREATE TABLE accounts (
    person TEXT NOT NULL,
    password_hash TEXT,
    password_changed_at TIMESTAMP WITH TIME ZONE,
    issuer TEXT,
    subject TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT accounts_pkey PRIMARY KEY (person)
);

CREATE UNIQUE INDEX accounts_issuer_subject_key ON accounts (issuer, subject);

CREATE TABLE sessions (
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    person TEXT NOT NULL,
    methods TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    authenticated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    idle INTERVAL NOT NULL,
    address TEXT DEFAULT '' NOT NULL,
    agent TEXT DEFAULT '' NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT sessions_pkey PRIMARY KEY (id)
);

CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

CREATE INDEX sessions_person_created_at_idx ON sessions (person, created_at);

CREATE UNIQUE INDEX sessions_sha256_key ON sessions (sha256);

CREATE TABLE tokens (
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    automation TEXT,
    CONSTRAINT tokens_pkey PRIMARY KEY (id)
);

CREATE INDEX tokens_expires_at_idx ON tokens (expires_at);

CREATE INDEX tokens_person_created_at_idx ON tokens (person, created_at);

CREATE UNIQUE INDEX tokens_sha256_key ON tokens (sha256);

CREATE TABLE links (
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    purpose TEXT NOT NULL,
    person TEXT,
    by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT links_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX links_sha256_key ON links (sha256);

CREATE TABLE passkeys (
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    transports TEXT[] DEFAULT '{}'::text[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT passkeys_pkey PRIMARY KEY (id)
);

CREATE INDEX passkeys_person_idx ON passkeys (person);

CREATE TABLE challenges (
    id TEXT NOT NULL,
    person TEXT,
    purpose TEXT NOT NULL,
    digest TEXT,
    challenge BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT challenges_pkey PRIMARY KEY (id)
);

CREATE INDEX challenges_expires_at_idx ON challenges (expires_at);

CREATE TABLE oidc_states (
    sha256 TEXT NOT NULL,
    browser TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    return_to TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT oidc_states_pkey PRIMARY KEY (sha256)
);

CREATE INDEX oidc_states_expires_at_idx ON oidc_states (expires_at);

CREATE TABLE device_codes (
    sha256 TEXT NOT NULL,
    user_code TEXT NOT NULL,
    status TEXT NOT NULL,
    person TEXT,
    client TEXT DEFAULT '' NOT NULL,
    address TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    polled_at TIMESTAMP WITH TIME ZONE,
    polls INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT device_codes_pkey PRIMARY KEY (sha256)
);

CREATE INDEX device_codes_expires_at_idx ON device_codes (expires_at);

CREATE UNIQUE INDEX device_codes_user_code_key ON device_codes (user_code);

CREATE TABLE attempts_to_sign_in (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    address TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT attempts_to_sign_in_pkey PRIMARY KEY (id)
);

CREATE INDEX attempts_to_sign_in_account_at_idx ON attempts_to_sign_in (account, at);

CREATE INDEX attempts_to_sign_in_address_at_idx ON attempts_to_sign_in (address, at);

CREATE INDEX attempts_to_sign_in_at_idx ON attempts_to_sign_in (at);

-- The session files and token files of before become a session and a token.
INSERT INTO sessions (id, sha256, person, methods, created_at, authenticated_at, last_seen_at, expires_at, idle, agent)
SELECT left(sha256, 12), sha256, person, '{file}', created_at, created_at, now(), now() + interval '3650 days',
    interval '3650 days', 'the session file of the server''s own machine'
FROM credentials WHERE kind = 'session' AND revoked_at IS NULL;

INSERT INTO tokens (id, sha256, person, name, scopes, by, created_at, expires_at)
SELECT left(sha256, 12), sha256, person, 'token file', '{read,submit}', 'system', created_at, now() + interval '3650 days'
FROM credentials WHERE kind = 'token' AND revoked_at IS NULL;

DROP TABLE credentials;
