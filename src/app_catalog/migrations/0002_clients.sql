-- How clients prove who they are beside a secret, requests that they push, and registration by a program.

-- The metadata of RFC 7591 and RFC 8705 that say how the client authenticates: a method, and public keys, where they are
-- published, or a name in a certificate. NULL: by its secret, or not at all, as its profile says.
ALTER TABLE catalogue.app
  ADD COLUMN credentials jsonb,
  ADD COLUMN credentials_set_at timestamptz,
  ADD COLUMN former_secret_hash bytea,          -- SHA-256 of the secret before the present one
  ADD COLUMN former_secret_until timestamptz;   -- both work until then
GRANT UPDATE (credentials, credentials_set_at, former_secret_hash, former_secret_until) ON catalogue.app TO gateway_app;

-- Assertions that were used (RFC 7523 §3, item 7): none is taken twice.
CREATE TABLE catalogue.used_assertion (
  app_id uuid NOT NULL REFERENCES catalogue.app,
  jti bytea NOT NULL,                           -- SHA-256
  expires_at timestamptz NOT NULL,              -- the assertion's; forgotten then
  PRIMARY KEY (app_id, jti)
);
CREATE INDEX ON catalogue.used_assertion (expires_at);

-- Authorization requests that clients pushed (RFC 9126), before any patient is known.
CREATE TABLE catalogue.pushed_request (
  hash bytea PRIMARY KEY,                       -- SHA-256 of what follows the prefix of the request_uri
  app_id uuid NOT NULL REFERENCES catalogue.app,
  parameters jsonb NOT NULL,                    -- [name, value] in their order, without what authenticates the client
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX ON catalogue.pushed_request (expires_at);

-- Initial access tokens (RFC 7591 §3): each lets a program register the client of one candidate, once.
CREATE TABLE catalogue.initial_token (
  hash bytea PRIMARY KEY,                       -- SHA-256
  app_id uuid NOT NULL REFERENCES catalogue.app,
  issued_by uuid NOT NULL,
  issued_by_name text NOT NULL,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX ON catalogue.initial_token (app_id);

GRANT SELECT, INSERT ON catalogue.used_assertion, catalogue.pushed_request, catalogue.initial_token TO gateway_app;
GRANT UPDATE (used_at) ON catalogue.pushed_request, catalogue.initial_token TO gateway_app;

-- Tokens bound to a certificate (RFC 8705 §3).
ALTER TABLE catalogue.token ADD COLUMN certificate bytea;  -- SHA-256 of its DER; NULL for an unbound token
CREATE OR REPLACE VIEW catalogue.token_state AS
  SELECT t.hash, t.kind, t.scope, t.issued_at, t.expires_at, t.used_at, t.revoked_at, t.sealed, g.*, t.certificate
  FROM catalogue.token t JOIN catalogue.grant_state g USING (grant_id);

-- What no answer needs any more.
CREATE FUNCTION catalogue.sweep_clients(before timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM catalogue.used_assertion WHERE expires_at < before;
  DELETE FROM catalogue.pushed_request WHERE expires_at < before;
$$;
REVOKE ALL ON FUNCTION catalogue.sweep_clients(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.sweep_clients(timestamptz) TO gateway_app;
