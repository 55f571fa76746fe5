-- What logs are searched by, in a file of its own beside the embedded database: for each stretch of a log, which entries
-- have which term. Made from the entries and held against the rows; a file that does not fit is deleted and made again.
CREATE TABLE search_stream (stream BLOB NOT NULL PRIMARY KEY, entries INTEGER NOT NULL, form INTEGER NOT NULL, hash BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE search_page (stream BLOB NOT NULL, level INTEGER NOT NULL, segment INTEGER NOT NULL, first BLOB NOT NULL, postings BLOB NOT NULL, PRIMARY KEY (stream, level, segment, first)) STRICT;
