-- OpenID Connect, launches from the portal, access that ends with a session. Run by gateway_owner.

-- Keys that sign id tokens. `public` is published before the key signs and until the last token that it signed has ended.
CREATE TABLE catalogue.signing_key (
  id text PRIMARY KEY,                      -- the kid: the key's thumbprint (RFC 7638)
  algorithm text NOT NULL CHECK (algorithm IN ('RS256', 'ES256')),
  public jsonb NOT NULL,                    -- a bare JWK
  sealed bytea,                             -- the private key, under the catalogue's key; none once it signs no more
  created_at timestamptz NOT NULL,
  signs_from timestamptz NOT NULL,
  UNIQUE (algorithm, signs_from)
);
GRANT SELECT, INSERT, UPDATE (sealed) ON catalogue.signing_key TO gateway_app;

ALTER TABLE catalogue.application
  ADD COLUMN launch_uri text,               -- where the portal opens the app (SMART "EHR launch"); none: it does not
  ADD COLUMN id_token_signed_response_alg text NOT NULL DEFAULT 'RS256'
    CHECK (id_token_signed_response_alg IN ('RS256', 'ES256'));

-- A patient opened an app from the portal: the `launch` that the app hands back, once.
CREATE TABLE catalogue.launch (
  hash bytea PRIMARY KEY,                   -- SHA-256
  app_id uuid NOT NULL REFERENCES catalogue.app,
  subject uuid NOT NULL,
  person uuid NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX ON catalogue.launch (expires_at);
ALTER TABLE catalogue.launch ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_space ON catalogue.launch TO gateway_app
  USING (subject = nullif(current_setting('app.space', true), '')::uuid)
  WITH CHECK (subject = nullif(current_setting('app.space', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE (used_at) ON catalogue.launch TO gateway_app;

ALTER TABLE catalogue.authorization_request ADD COLUMN nonce text, ADD COLUMN launch bytea;
ALTER TABLE catalogue.authorization_code ADD COLUMN nonce text, ADD COLUMN auth_time timestamptz;

-- The sign-in that a grant lives on ("online access"), named by the host; none for a grant that outlives it.
ALTER TABLE catalogue.access_grant ADD COLUMN session bytea;
CREATE INDEX ON catalogue.access_grant (session) WHERE session IS NOT NULL AND revoked_at IS NULL;

CREATE FUNCTION catalogue.grants_of_session(wanted bytea) RETURNS TABLE (subject uuid, grant_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT subject, id FROM catalogue.access_grant WHERE session = wanted AND revoked_at IS NULL ORDER BY subject, id';

CREATE FUNCTION catalogue.sweep_launches(ended_before timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'DELETE FROM catalogue.launch WHERE expires_at < ended_before';

REVOKE ALL ON FUNCTION catalogue.grants_of_session(bytea), catalogue.sweep_launches(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.grants_of_session(bytea), catalogue.sweep_launches(timestamptz) TO gateway_app;
