-- Who in a chat is who here, the codes by which they come to be linked, and the signed calls that came already, so that
-- none is taken twice.

CREATE TABLE chat_accounts (
    team TEXT NOT NULL,
    "user" TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    team_name TEXT DEFAULT '' NOT NULL,
    person TEXT NOT NULL,
    linked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT chat_accounts_pkey PRIMARY KEY (team, "user")
);

CREATE INDEX chat_accounts_person_idx ON chat_accounts (person);

CREATE TABLE chat_codes (
    sha256 TEXT NOT NULL,
    team TEXT NOT NULL,
    "user" TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    team_name TEXT DEFAULT '' NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT chat_codes_pkey PRIMARY KEY (sha256)
);

CREATE INDEX chat_codes_expires_at_idx ON chat_codes (expires_at);

CREATE TABLE chat_calls (
    signature TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT chat_calls_pkey PRIMARY KEY (signature)
);

CREATE INDEX chat_calls_expires_at_idx ON chat_calls (expires_at);
