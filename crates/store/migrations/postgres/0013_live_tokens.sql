-- API tokens that are not revoked, by when they end: those that ended by themselves are not counted against a quota.
CREATE FUNCTION cardea_ends(body TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
    SELECT body::jsonb #>> '{core,expires_at}'
$$;
CREATE INDEX api_token_lives ON api_token (stream, cardea_ends(body) COLLATE "C") WHERE cardea_lives('tokens', body);
