-- The life of an app, OAuth 2 and consent. Run by gateway_owner, who owns the schema.
-- Rows that belong to a patient carry `subject`, the id of the space, and are visible only while app.space names it.

REVOKE ALL ON SCHEMA catalogue FROM PUBLIC;
GRANT USAGE ON SCHEMA catalogue TO gateway_app;

-- ---- who makes apps -------------------------------------------------------------------------------------------------
CREATE TABLE catalogue.vendor (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  contact text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE TABLE catalogue.vendor_member (
  vendor_id uuid NOT NULL REFERENCES catalogue.vendor,
  person uuid NOT NULL,                     -- an account of the host
  added_at timestamptz NOT NULL,
  PRIMARY KEY (vendor_id, person)
);
CREATE INDEX ON catalogue.vendor_member (person);

-- ---- apps, and the versions of their description that vendors submit -------------------------------------------------
CREATE TABLE catalogue.app (
  id uuid PRIMARY KEY,
  vendor_id uuid NOT NULL REFERENCES catalogue.vendor,
  client_id text NOT NULL UNIQUE,           -- a random word of its own: never an id that a person could have
  status text NOT NULL CHECK (status IN ('CANDIDATE', 'PRE_SERIES', 'ONLINE', 'OFFLINE', 'SUSPENDED', 'DEREFERENCED')),
  application_id uuid,                      -- the approved one in force; none for a candidate
  secret_hash bytea,                        -- SHA-256
  secret_issued_at timestamptz,
  created_at timestamptz NOT NULL
);
CREATE TABLE catalogue.application (
  id uuid PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  state text NOT NULL CHECK (state IN ('submitted', 'approved', 'refused')),
  name text NOT NULL,
  description_fr text NOT NULL,
  description_en text NOT NULL,
  profile text NOT NULL,
  redirect_uris text[] NOT NULL,
  origins text[] NOT NULL,                  -- of the redirect URIs of a browser app: who may read the token endpoint (CORS)
  submitted_by uuid NOT NULL,
  submitted_at timestamptz NOT NULL,
  decided_by uuid,
  decided_at timestamptz,
  reason text
);
CREATE INDEX ON catalogue.application (app_id);
ALTER TABLE catalogue.app ADD FOREIGN KEY (application_id) REFERENCES catalogue.application;

-- Never updated: a consent points at what the patient read.
CREATE TABLE catalogue.purpose (
  id uuid PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  position int2 NOT NULL,
  key text NOT NULL,
  name_fr text NOT NULL,
  name_en text NOT NULL,
  wording_fr text NOT NULL,
  wording_en text NOT NULL,
  required boolean NOT NULL,
  retention_days int4 NOT NULL CHECK (retention_days > 0),
  read_scope text NOT NULL,
  write_scope text NOT NULL,
  UNIQUE (application_id, key),
  UNIQUE (application_id, position)
);
-- Every step of an app's life, dated and reasoned; never updated.
CREATE TABLE catalogue.app_step (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  application_id uuid REFERENCES catalogue.application,
  step text NOT NULL,
  from_status text,
  to_status text,
  actor uuid NOT NULL,
  actor_name text NOT NULL,
  reason text,
  at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.app_step (app_id, id);

-- ---- what a patient agreed to ---------------------------------------------------------------------------------------
-- The pairing id is what an app knows a patient by. It stays the same when the app is connected again.
CREATE TABLE catalogue.pairing (
  id uuid PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  subject uuid NOT NULL,
  created_at timestamptz NOT NULL,
  answered_at timestamptz NOT NULL,         -- when the patient last said yes
  UNIQUE (app_id, subject)
);
CREATE INDEX ON catalogue.pairing (subject);
CREATE TABLE catalogue.consent (
  id uuid PRIMARY KEY,
  pairing_id uuid NOT NULL REFERENCES catalogue.pairing,
  subject uuid NOT NULL,
  purpose_id uuid NOT NULL REFERENCES catalogue.purpose,
  purpose_key text NOT NULL,
  shown jsonb NOT NULL,                     -- word for word what the patient read, and in which language
  given_by uuid NOT NULL,
  given_at timestamptz NOT NULL,
  withdrawn_by uuid,
  withdrawn_at timestamptz
);
CREATE UNIQUE INDEX ON catalogue.consent (pairing_id, purpose_key) WHERE withdrawn_at IS NULL;

-- ---- OAuth 2 --------------------------------------------------------------------------------------------------------
-- What an app asked for, kept here while the patient decides: the form carries the id only.
CREATE TABLE catalogue.authorization_request (
  id uuid PRIMARY KEY,
  subject uuid NOT NULL,
  person uuid NOT NULL,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  redirect_uri text NOT NULL,
  scope text NOT NULL,
  state text,
  code_challenge text NOT NULL,
  expires_at timestamptz NOT NULL,
  answered_at timestamptz
);
CREATE INDEX ON catalogue.authorization_request (expires_at);
-- A grant is one "yes" and everything that OAuth issued from it: revoking it is one UPDATE, for every check joins it.
CREATE TABLE catalogue.access_grant (
  id uuid PRIMARY KEY,
  pairing_id uuid NOT NULL REFERENCES catalogue.pairing,
  subject uuid NOT NULL,
  person uuid NOT NULL,
  scope text NOT NULL,                      -- what was asked for and the app is registered for; consents narrow it further
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_reason text
);
CREATE INDEX ON catalogue.access_grant (pairing_id);
CREATE INDEX ON catalogue.access_grant (person) WHERE revoked_at IS NULL;
CREATE TABLE catalogue.authorization_code (
  hash bytea PRIMARY KEY,                   -- SHA-256
  grant_id uuid NOT NULL REFERENCES catalogue.access_grant,
  subject uuid NOT NULL,
  redirect_uri text NOT NULL,
  code_challenge text NOT NULL,             -- S256
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX ON catalogue.authorization_code (grant_id);
CREATE TABLE catalogue.token (
  hash bytea PRIMARY KEY,                   -- SHA-256
  kind text NOT NULL CHECK (kind IN ('access', 'refresh')),
  grant_id uuid NOT NULL REFERENCES catalogue.access_grant,
  subject uuid NOT NULL,
  scope text NOT NULL,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,                      -- a refresh token that was rotated
  revoked_at timestamptz,
  sealed bytea                              -- its successors, readable only with the token itself, for the time of the grace
);
CREATE INDEX ON catalogue.token (grant_id);
CREATE INDEX ON catalogue.token (used_at) WHERE sealed IS NOT NULL;

-- ---- row-level security ---------------------------------------------------------------------------------------------
DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['pairing', 'consent', 'authorization_request', 'access_grant', 'authorization_code', 'token'] LOOP
    EXECUTE format('ALTER TABLE catalogue.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_space ON catalogue.%I TO gateway_app
      USING (subject = nullif(current_setting(''app.space'', true), '''')::uuid)
      WITH CHECK (subject = nullif(current_setting(''app.space'', true), '''')::uuid)', name);
  END LOOP;
END $$;

-- ---- what serving may do: what is history has no UPDATE, nothing has DELETE -----------------------------------------
GRANT SELECT, INSERT ON
  catalogue.vendor, catalogue.vendor_member, catalogue.app, catalogue.application, catalogue.purpose, catalogue.app_step,
  catalogue.pairing, catalogue.consent, catalogue.authorization_request, catalogue.access_grant,
  catalogue.authorization_code, catalogue.token TO gateway_app;
GRANT UPDATE (status, application_id, secret_hash, secret_issued_at) ON catalogue.app TO gateway_app;
GRANT UPDATE (state, decided_by, decided_at, reason) ON catalogue.application TO gateway_app;
GRANT UPDATE (answered_at) ON catalogue.pairing TO gateway_app;
GRANT UPDATE (withdrawn_by, withdrawn_at) ON catalogue.consent TO gateway_app;
GRANT UPDATE (answered_at) ON catalogue.authorization_request TO gateway_app;
GRANT UPDATE (revoked_at, revoked_reason) ON catalogue.access_grant TO gateway_app;
GRANT UPDATE (used_at) ON catalogue.authorization_code TO gateway_app;
GRANT UPDATE (expires_at, used_at, revoked_at, sealed) ON catalogue.token TO gateway_app;

-- ---- what must be found before the space is known -------------------------------------------------------------------
-- Views that see every space: nobody but the functions below may read them.
CREATE VIEW catalogue.grant_state AS
  SELECT g.id AS grant_id, g.pairing_id, g.subject, g.person, g.scope AS grant_scope, g.created_at AS grant_created_at,
    g.expires_at AS grant_expires_at, g.revoked_at AS grant_revoked_at, g.revoked_reason,
    a.id AS app_id, a.client_id, a.status AS app_status, v.name AS app_name, v.profile,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('key', p.key, 'fr', p.name_fr, 'en', p.name_en,
        'scope', p.read_scope || ' ' || p.write_scope) ORDER BY p.position), '[]')
      FROM catalogue.consent c JOIN catalogue.purpose p ON p.id = c.purpose_id
      WHERE c.pairing_id = g.pairing_id AND c.withdrawn_at IS NULL) AS consented
  FROM catalogue.access_grant g
  JOIN catalogue.pairing r ON r.id = g.pairing_id
  JOIN catalogue.app a ON a.id = r.app_id
  JOIN catalogue.application v ON v.id = a.application_id;
CREATE VIEW catalogue.token_state AS
  SELECT t.hash, t.kind, t.scope, t.issued_at, t.expires_at, t.used_at, t.revoked_at, t.sealed, g.*
  FROM catalogue.token t JOIN catalogue.grant_state g USING (grant_id);
CREATE VIEW catalogue.code_state AS
  SELECT c.hash, c.redirect_uri, c.code_challenge, c.expires_at, c.used_at, g.*
  FROM catalogue.authorization_code c JOIN catalogue.grant_state g USING (grant_id);

-- Access or refresh token by its hash, to check it.
CREATE FUNCTION catalogue.grant_of_token(wanted bytea) RETURNS SETOF catalogue.token_state
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT * FROM catalogue.token_state WHERE hash = wanted';

-- Token or code by its hash, to consume it: locks its row, then opens its space for the rest of the transaction. The row
-- is read by a second statement, so that it shows what whoever held the lock before has done.
CREATE FUNCTION catalogue.open_token(wanted bytea) RETURNS SETOF catalogue.token_state
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE space uuid;
BEGIN
  SELECT subject INTO space FROM catalogue.token WHERE hash = wanted FOR UPDATE;
  IF FOUND THEN
    PERFORM set_config('app.space', space::text, true);
    RETURN QUERY SELECT * FROM catalogue.token_state WHERE hash = wanted;
  END IF;
END $$;
CREATE FUNCTION catalogue.open_code(wanted bytea) RETURNS SETOF catalogue.code_state
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE space uuid;
BEGIN
  SELECT subject INTO space FROM catalogue.authorization_code WHERE hash = wanted FOR UPDATE;
  IF FOUND THEN
    PERFORM set_config('app.space', space::text, true);
    RETURN QUERY SELECT * FROM catalogue.code_state WHERE hash = wanted;
  END IF;
END $$;

-- Spaces in which an app is connected: to disconnect them all when the app leaves the catalogue.
CREATE FUNCTION catalogue.subjects_of_app(wanted uuid) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT subject FROM catalogue.pairing WHERE app_id = wanted ORDER BY subject';

-- Live grants that a person gave: to end them when the person's password changes.
CREATE FUNCTION catalogue.grants_of_person(wanted uuid) RETURNS TABLE (subject uuid, grant_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT subject, id FROM catalogue.access_grant WHERE person = wanted AND revoked_at IS NULL ORDER BY subject, id';

-- What no answer needs any more: sealed successors after the grace, and authorization requests a day after their end.
CREATE FUNCTION catalogue.sweep(sealed_before timestamptz, requests_before timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE catalogue.token SET sealed = NULL WHERE sealed IS NOT NULL AND used_at < sealed_before;
  DELETE FROM catalogue.authorization_request WHERE expires_at < requests_before;
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA catalogue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.grant_of_token(bytea), catalogue.open_token(bytea), catalogue.open_code(bytea),
  catalogue.subjects_of_app(uuid), catalogue.grants_of_person(uuid), catalogue.sweep(timestamptz, timestamptz) TO gateway_app;
