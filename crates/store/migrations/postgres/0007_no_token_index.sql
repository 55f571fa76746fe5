-- Tokens under a grant are counted along the end of the log: an index over them cost every issue a page.
CREATE OR REPLACE FUNCTION cardea_make_events(part TEXT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE audit_events, PRIMARY KEY (stream, seq))', part);
    PERFORM cardea_guard_events(part);
END $$;
DO $$
DECLARE
    unused TEXT;
BEGIN
    FOR unused IN SELECT indexrelid::regclass::text FROM pg_index
        WHERE indexrelid::regclass::text LIKE '%audit_events%tokens%' AND indrelid::regclass::text LIKE '%audit_events%'
    LOOP
        EXECUTE 'DROP INDEX ' || unused;
    END LOOP;
END $$;
