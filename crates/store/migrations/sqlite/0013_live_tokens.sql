-- API tokens that are not revoked, by when they end: those that ended by themselves are not counted against a quota.
CREATE INDEX api_token_lives ON api_token (stream, json_extract(body, '$.core.expires_at')) WHERE json_extract(body, '$.core.revoked') IS NOT 1;
