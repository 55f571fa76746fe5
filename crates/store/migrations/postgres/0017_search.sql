-- What logs are searched by: for each stretch of a log, which entries have which term. Made from the entries by one node
-- and held against the rows; never written by a commit. A page is not compressed: it is small numbers already.
CREATE TABLE search_stream (stream BYTEA NOT NULL PRIMARY KEY, entries BIGINT NOT NULL, form BIGINT NOT NULL, hash BYTEA NOT NULL);
CREATE TABLE search_page (stream BYTEA NOT NULL, level BIGINT NOT NULL, segment BIGINT NOT NULL, first BYTEA NOT NULL, postings BYTEA NOT NULL, PRIMARY KEY (stream, level, segment, first));
ALTER TABLE search_page ALTER COLUMN postings SET STORAGE PLAIN;
DO $$
DECLARE
    wanted TEXT;
    own CONSTANT TEXT := 'stream = (SELECT decode(current_setting(''cardea.stream'', true), ''hex''))';
BEGIN
    FOREACH wanted IN ARRAY ARRAY['search_stream', 'search_page'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wanted);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wanted);
        EXECUTE format('CREATE POLICY tenant ON %I TO cardea_tenant USING (%s) WITH CHECK (%s)', wanted, own, own);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO cardea_tenant', wanted);
    END LOOP;
END $$;
