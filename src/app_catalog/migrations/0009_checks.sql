-- Tokens that programs present: token, grant and client in one look, and a refresh in one statement.
-- Run by gateway_owner.

-- Token, grant and the secrets of its client. Sees every space: nobody but the function below may read it.
CREATE VIEW catalogue.presented AS
  SELECT s.*, a.secret_hash, a.former_secret_hash, a.former_secret_until
  FROM catalogue.token_state s JOIN catalogue.app a ON a.id = s.app_id;
CREATE FUNCTION catalogue.presented_token(wanted bytea) RETURNS SETOF catalogue.presented
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT * FROM catalogue.presented WHERE hash = wanted';

-- A refresh, with the rights of who calls: the refresh token is used up (`kept_until` NULL: `successors` are what a
-- repetition is answered with) or goes on until then, and an access token comes, and where it was used up another refresh
-- token. Returns the grant; no row, and nothing is written, where somebody else used it a moment before.
CREATE FUNCTION catalogue.refreshed_token(wanted bytea, space uuid, at timestamptz, kept_until timestamptz,
    successors bytea, access_hash bytea, access_scope text, access_until timestamptz, access_certificate bytea,
    refresh_hash bytea, refresh_scope text, refresh_until timestamptz) RETURNS SETOF uuid
  LANGUAGE plpgsql AS $$
DECLARE family uuid;
BEGIN
  PERFORM pg_catalog.set_config('app.space', space::text, true);
  IF kept_until IS NOT NULL THEN
    UPDATE catalogue.token SET expires_at = kept_until
      WHERE hash = wanted AND kind = 'refresh' AND used_at IS NULL AND revoked_at IS NULL RETURNING grant_id INTO family;
  ELSE
    UPDATE catalogue.token SET used_at = at, sealed = successors
      WHERE hash = wanted AND kind = 'refresh' AND used_at IS NULL AND revoked_at IS NULL RETURNING grant_id INTO family;
  END IF;
  IF family IS NULL THEN
    RETURN;
  END IF;
  INSERT INTO catalogue.token (hash, kind, grant_id, subject, scope, issued_at, expires_at, certificate)
    VALUES (access_hash, 'access', family, space, access_scope, at, access_until, access_certificate);
  IF refresh_hash IS NOT NULL THEN
    INSERT INTO catalogue.token (hash, kind, grant_id, subject, scope, issued_at, expires_at)
      VALUES (refresh_hash, 'refresh', family, space, refresh_scope, at, refresh_until);
  END IF;
  RETURN NEXT family;
END $$;

REVOKE ALL ON FUNCTION catalogue.presented_token(bytea), catalogue.refreshed_token(bytea, uuid, timestamptz, timestamptz,
  bytea, bytea, text, timestamptz, bytea, bytea, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.presented_token(bytea), catalogue.refreshed_token(bytea, uuid, timestamptz,
  timestamptz, bytea, bytea, text, timestamptz, bytea, bytea, text, timestamptz) TO gateway_app;
