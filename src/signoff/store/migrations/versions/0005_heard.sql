-- Every audit event is told to whoever listens when its transaction commits: "index type run model", spaces between.
CREATE FUNCTION signoff_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'signoff_events',
        concat_ws(' ', NEW.index, NEW.type, coalesce(NEW.run_id, '-'), left(coalesce(NEW.model, '-'), 1000))
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_events_told AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION signoff_tell();
