-- Roles belong to the whole server, so several databases may make them at the same moment; whoever comes second
-- finds them made. None can log in and none may pass row-level security.
DO $$
DECLARE
    wanted TEXT;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['cardea_tenant', 'cardea_node', 'cardea_appender'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        BEGIN
            EXECUTE format('SET LOCAL ROLE %I', wanted);
        EXCEPTION WHEN insufficient_privilege THEN
            BEGIN
                EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
            EXCEPTION WHEN unique_violation THEN
                NULL;
            END;
        END;
        RESET ROLE;
    END LOOP;
END $$;
