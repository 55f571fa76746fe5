-- How many people, agents and API tokens each organization has that did not end, so that a quota is checked without
-- counting rows. The tables count themselves: whoever writes them, in whatever way, writes these too.
CREATE TABLE tally (stream BYTEA NOT NULL, kind TEXT NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (stream, kind));

-- What is counted, and the text by which a row's body says that it ended.
CREATE FUNCTION cardea_lives(kind TEXT, body TEXT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind
        WHEN 'tokens' THEN body::jsonb #>> '{core,revoked}' IS DISTINCT FROM 'true'
        WHEN 'agents' THEN body::jsonb #>> '{core,state}' IS DISTINCT FROM 'revoked'
        ELSE body::jsonb #>> '{core,state}' IS DISTINCT FROM 'deactivated'
    END
$$;
CREATE FUNCTION cardea_tally() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kind CONSTANT TEXT := TG_ARGV[0];
    whose BYTEA;
    more BIGINT := 0;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        whose := OLD.stream;
        more := more - cardea_lives(kind, OLD.body)::int;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        whose := NEW.stream;
        more := more + cardea_lives(kind, NEW.body)::int;
    END IF;
    IF more <> 0 THEN
        INSERT INTO tally AS t VALUES (whose, kind, more) ON CONFLICT ON CONSTRAINT tally_pkey DO UPDATE SET count = t.count + excluded.count;
    END IF;
    RETURN NULL;
END $$;

DO $$
DECLARE
    own CONSTANT TEXT := 'stream = (SELECT decode(current_setting(''cardea.stream'', true), ''hex'')) OR stream = decode(repeat(''00'', 16), ''hex'')';
    one TEXT[];
BEGIN
    FOREACH one SLICE 1 IN ARRAY ARRAY[ARRAY['membership', 'users'], ARRAY['agent', 'agents'], ARRAY['api_token', 'tokens']] LOOP
        -- Under row-level security the owner of the tables would count none.
        EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', one[1]);
        EXECUTE format('INSERT INTO tally SELECT stream, %L, count(*) FROM %I WHERE cardea_lives(%L, body) GROUP BY stream', one[2], one[1], one[2]);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one[1]);
        EXECUTE format('CREATE TRIGGER tally AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION cardea_tally(%L)', one[1], one[2]);
    END LOOP;
    ALTER TABLE tally ENABLE ROW LEVEL SECURITY;
    ALTER TABLE tally FORCE ROW LEVEL SECURITY;
    EXECUTE format('CREATE POLICY tenant ON tally TO cardea_tenant USING (%s) WITH CHECK (%s)', own, own);
    CREATE POLICY node ON tally TO cardea_node USING (true);
END $$;
GRANT SELECT, INSERT, UPDATE ON tally TO cardea_tenant;
GRANT SELECT ON tally TO cardea_node;
