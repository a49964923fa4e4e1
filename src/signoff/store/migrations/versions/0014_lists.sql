-- What lists and pages look for among a million runs.

CREATE INDEX decisions_gate_id_idx ON decisions (gate_id);

CREATE INDEX runs_submitter_created_at_id_idx ON runs (submitter, created_at, id);

CREATE INDEX deployments_started_at_idx ON deployments (started_at);

CREATE INDEX deployments_model_started_at_idx ON deployments (model, started_at);

CREATE INDEX gates_model_version_idx ON gates (model, (subject ->> 'version'));

CREATE INDEX attempts_model_version_idx ON attempts ((version ->> 'model'), (version ->> 'version'));

CREATE INDEX audit_events_type_index_idx ON audit_events (type, index);

CREATE INDEX audit_events_actor_index_idx ON audit_events (actor, index);
