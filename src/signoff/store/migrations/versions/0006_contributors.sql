ALTER TABLE gates ADD COLUMN contributors text[] NOT NULL DEFAULT '{}';

-- A gate that allowed self-approval excluded nobody: who had a part in it is on its run and attempt.
UPDATE gates SET contributors = ARRAY(
    SELECT DISTINCT name FROM runs JOIN attempts ON attempts.run_id = runs.id,
        unnest(attempts.contributors || runs.submitter) AS name
    WHERE runs.id = gates.run_id AND attempts.number = gates.attempt ORDER BY name
);
