-- Tiles of the logs' trees (C2SP tlog-tiles): 256 neighbouring hashes, 32 bytes each. Made from the entries and
-- never believed against them.
CREATE TABLE log_tile (stream BLOB NOT NULL, level INTEGER NOT NULL, tile INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (stream, level, tile)) STRICT;
