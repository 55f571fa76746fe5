-- Relation stores, in the streams of their organizations. Only adds: a build that knows the schema before goes on
-- beside it.
CREATE TABLE relation_store (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE authorization_model (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT;
CREATE INDEX authorization_model_store ON authorization_model (stream, json_extract(body, '$.core.store'), id);
CREATE TABLE relation_assertions (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
-- The tuples that are there, by object and by subject. `time` is when it was written.
CREATE TABLE relation_tuple (stream BLOB NOT NULL, store BLOB NOT NULL, object TEXT NOT NULL, relation TEXT NOT NULL, subject TEXT NOT NULL, condition TEXT, context TEXT, valid_from INTEGER, valid_until INTEGER, time INTEGER NOT NULL, PRIMARY KEY (stream, store, object, relation, subject)) STRICT, WITHOUT ROWID;
CREATE INDEX relation_tuple_subject ON relation_tuple (stream, store, subject, object, relation);
-- What happened to them, one row a tuple, for those who read along; the feed has the same and leads by revision alone.
CREATE TABLE relation_change (stream BLOB NOT NULL, store BLOB NOT NULL, state_rev INTEGER NOT NULL, item INTEGER NOT NULL, deleted INTEGER NOT NULL, object TEXT NOT NULL, relation TEXT NOT NULL, subject TEXT NOT NULL, condition TEXT, context TEXT, valid_from INTEGER, valid_until INTEGER, time INTEGER NOT NULL, PRIMARY KEY (stream, store, state_rev, item)) STRICT, WITHOUT ROWID;
