-- What several tokens are worth, asked in one statement. Run by gateway_owner.

-- Each by its key, however many: a plan made anew for a number of tokens takes longer than it saves, and so does one that
-- reads small tables whole and is kept while they grow.
CREATE FUNCTION catalogue.grants_of_tokens(wanted bytea[], at timestamptz) RETURNS SETOF catalogue.token_facts
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
  RETURN QUERY SELECT t.hash, t.kind, t.scope, t.issued_at, t.expires_at, t.used_at, t.revoked_at, t.sealed, t.certificate,
    g.* FROM unnest(wanted) q (hash) JOIN catalogue.token t ON t.hash = q.hash
    CROSS JOIN LATERAL catalogue.grant_at(t.grant_id, at) g;
END $$;
REVOKE ALL ON FUNCTION catalogue.grants_of_tokens(bytea[], timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.grants_of_tokens(bytea[], timestamptz) TO gateway_app;
