-- How many people, agents and API tokens each organization has that did not end, so that a quota is checked without
-- counting rows. The tables count themselves: whoever writes them, in whatever way, writes these too.
CREATE TABLE tally (stream BLOB NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (stream, kind)) STRICT, WITHOUT ROWID;

INSERT INTO tally SELECT stream, 'users', count(*) FROM membership WHERE json_extract(body, '$.core.state') IS NOT 'deactivated' GROUP BY stream;
CREATE TRIGGER membership_made AFTER INSERT ON membership WHEN json_extract(new.body, '$.core.state') IS NOT 'deactivated' BEGIN
    INSERT INTO tally (stream, kind, count) VALUES (new.stream, 'users', 1) ON CONFLICT (stream, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER membership_changed AFTER UPDATE ON membership WHEN (json_extract(old.body, '$.core.state') IS NOT 'deactivated') <> (json_extract(new.body, '$.core.state') IS NOT 'deactivated') BEGIN
    INSERT INTO tally (stream, kind, count) VALUES (new.stream, 'users', 1) ON CONFLICT (stream, kind) DO UPDATE SET count = count + iif(json_extract(new.body, '$.core.state') IS NOT 'deactivated', 1, -1);
END;
CREATE TRIGGER membership_gone AFTER DELETE ON membership WHEN json_extract(old.body, '$.core.state') IS NOT 'deactivated' BEGIN
    UPDATE tally SET count = count - 1 WHERE stream = old.stream AND kind = 'users';
END;

INSERT INTO tally SELECT stream, 'agents', count(*) FROM agent WHERE json_extract(body, '$.core.state') IS NOT 'revoked' GROUP BY stream;
CREATE TRIGGER agent_made AFTER INSERT ON agent WHEN json_extract(new.body, '$.core.state') IS NOT 'revoked' BEGIN
    INSERT INTO tally (stream, kind, count) VALUES (new.stream, 'agents', 1) ON CONFLICT (stream, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER agent_changed AFTER UPDATE ON agent WHEN (json_extract(old.body, '$.core.state') IS NOT 'revoked') <> (json_extract(new.body, '$.core.state') IS NOT 'revoked') BEGIN
    INSERT INTO tally (stream, kind, count) VALUES (new.stream, 'agents', 1) ON CONFLICT (stream, kind) DO UPDATE SET count = count + iif(json_extract(new.body, '$.core.state') IS NOT 'revoked', 1, -1);
END;
CREATE TRIGGER agent_gone AFTER DELETE ON agent WHEN json_extract(old.body, '$.core.state') IS NOT 'revoked' BEGIN
    UPDATE tally SET count = count - 1 WHERE stream = old.stream AND kind = 'agents';
END;

INSERT INTO tally SELECT stream, 'tokens', count(*) FROM api_token WHERE json_extract(body, '$.core.revoked') IS NOT 1 GROUP BY stream;
CREATE TRIGGER api_token_made AFTER INSERT ON api_token WHEN json_extract(new.body, '$.core.revoked') IS NOT 1 BEGIN
    INSERT INTO tally (stream, kind, count) VALUES (new.stream, 'tokens', 1) ON CONFLICT (stream, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER api_token_changed AFTER UPDATE ON api_token WHEN (json_extract(old.body, '$.core.revoked') IS NOT 1) <> (json_extract(new.body, '$.core.revoked') IS NOT 1) BEGIN
    INSERT INTO tally (stream, kind, count) VALUES (new.stream, 'tokens', 1) ON CONFLICT (stream, kind) DO UPDATE SET count = count + iif(json_extract(new.body, '$.core.revoked') IS NOT 1, 1, -1);
END;
CREATE TRIGGER api_token_gone AFTER DELETE ON api_token WHEN json_extract(old.body, '$.core.revoked') IS NOT 1 BEGIN
    UPDATE tally SET count = count - 1 WHERE stream = old.stream AND kind = 'tokens';
END;
