-- Relation stores, in the streams of their organizations. Only adds: a build that knows the schema before goes on
-- beside it. Texts of tuples compare byte by byte.
CREATE TABLE relation_store (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE authorization_model (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE FUNCTION cardea_model_store(body TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$ SELECT body::json #>> '{core,store}' $$;
CREATE INDEX authorization_model_store ON authorization_model (stream, cardea_model_store(body), id);
CREATE TABLE relation_assertions (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
-- The tuples that are there, by object and by subject. `time` is when it was written.
CREATE TABLE relation_tuple (stream BYTEA NOT NULL, store BYTEA NOT NULL, object TEXT COLLATE "C" NOT NULL, relation TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, condition TEXT COLLATE "C", context TEXT, valid_from BIGINT, valid_until BIGINT, time BIGINT NOT NULL, PRIMARY KEY (stream, store, object, relation, subject));
CREATE INDEX relation_tuple_subject ON relation_tuple (stream, store, subject, object, relation);
-- What happened to them, one row a tuple, for those who read along; the feed has the same and leads by revision alone.
CREATE TABLE relation_change (stream BYTEA NOT NULL, store BYTEA NOT NULL, state_rev BIGINT NOT NULL, item BIGINT NOT NULL, deleted BIGINT NOT NULL, object TEXT COLLATE "C" NOT NULL, relation TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, condition TEXT COLLATE "C", context TEXT, valid_from BIGINT, valid_until BIGINT, time BIGINT NOT NULL, PRIMARY KEY (stream, store, state_rev, item));

DO $$
DECLARE
    own CONSTANT TEXT := 'stream = (SELECT decode(current_setting(''cardea.stream'', true), ''hex''))';
    wanted TEXT;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['relation_store', 'authorization_model', 'relation_assertions', 'relation_tuple', 'relation_change'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wanted);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wanted);
        EXECUTE format('CREATE POLICY tenant ON %I TO cardea_tenant USING (%s) WITH CHECK (%s)', wanted, own, own);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO cardea_tenant', wanted);
    END LOOP;
END $$;
