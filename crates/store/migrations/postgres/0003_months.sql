-- The log by month. A month's partition is made ahead; an entry of a month that has none goes into
-- `audit_events_other`, so that no entry ever waits for a table. Numbers are unique within a partition; across
-- partitions the head's lock keeps them apart, under which each is given out, and the chain shows it.

-- Without this, an owner under row-level security would see an empty log where there is one.
ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY;
SET LOCAL row_security = off;
ALTER TABLE audit_events RENAME TO audit_events_before;
ALTER INDEX audit_events_pkey RENAME TO audit_events_before_pkey;
ALTER INDEX audit_events_tokens RENAME TO audit_events_before_tokens;
CREATE TABLE audit_events (LIKE audit_events_before) PARTITION BY RANGE (time);

-- What guards the log guards each of its partitions: whoever names one meets the same triggers, policies and grants.
CREATE FUNCTION cardea_guard_events(part TEXT) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    own CONSTANT TEXT := 'stream = (SELECT decode(current_setting(''cardea.stream'', true), ''hex'')) OR stream = decode(repeat(''00'', 16), ''hex'')';
BEGIN
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION cardea_append_only()', part);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY tenant ON %I TO cardea_tenant USING (%s) WITH CHECK (%s)', part, own, own);
    EXECUTE format('CREATE POLICY node ON %I TO cardea_node USING (true)', part);
    EXECUTE format('CREATE POLICY appender ON %I FOR INSERT TO cardea_appender WITH CHECK (true)', part);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO cardea_tenant', part);
    EXECUTE format('GRANT SELECT ON %I TO cardea_node', part);
    EXECUTE format('GRANT INSERT ON %I TO cardea_appender', part);
END $$;

-- A table that is no partition yet.
CREATE FUNCTION cardea_make_events(part TEXT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE audit_events, PRIMARY KEY (stream, seq))', part);
    EXECUTE format('CREATE INDEX %I ON %I (stream, agent, expires_at) WHERE agent IS NOT NULL', part || '_tokens', part);
    PERFORM cardea_guard_events(part);
END $$;

-- The partition of one month, given its first moment in UTC. False when it is there, when an older partition
-- covers it or when entries of it lie in `audit_events_other`, where they stay.
CREATE FUNCTION cardea_month(first TIMESTAMP) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    part CONSTANT TEXT := 'audit_events_' || to_char(first, 'YYYY_MM');
    since CONSTANT BIGINT := extract(epoch FROM first)::bigint * 1000000;
    until CONSTANT BIGINT := extract(epoch FROM first + interval '1 month')::bigint * 1000000;
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM cardea_make_events(part);
    -- Attached afterwards: unlike CREATE TABLE ... PARTITION OF, that stops nobody who reads or appends.
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT month CHECK (time >= %s AND time < %s)', part, since, until);
    EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, since, until);
    RETURN true;
EXCEPTION WHEN invalid_object_definition OR check_violation OR duplicate_table OR unique_violation THEN
    RETURN false;
END $$;

-- The month of a moment, in microseconds since 1970, and the ones after it. Says how many were made.
CREATE FUNCTION cardea_months(moment BIGINT, ahead BIGINT) RETURNS BIGINT LANGUAGE sql AS $$
    SELECT count(*) FILTER (WHERE cardea_month(date_trunc('month', to_timestamp(moment / 1000000) AT TIME ZONE 'UTC')
        + make_interval(months => n::int))) FROM generate_series(0, ahead) AS n
$$;

SELECT cardea_guard_events('audit_events');
SELECT cardea_make_events('audit_events_other');
ALTER TABLE audit_events ATTACH PARTITION audit_events_other DEFAULT;

-- What was logged before stays where it is.
DO $$
DECLARE
    last BIGINT;
BEGIN
    SELECT max(time) INTO last FROM audit_events_before;
    IF last IS NULL THEN
        DROP TABLE audit_events_before;
        RETURN;
    END IF;
    ALTER TABLE audit_events_before FORCE ROW LEVEL SECURITY;
    EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION audit_events_before FOR VALUES FROM (MINVALUE) TO (%s)',
        extract(epoch FROM date_trunc('month', to_timestamp(last / 1000000) AT TIME ZONE 'UTC') + interval '1 month')::bigint * 1000000);
END $$;
