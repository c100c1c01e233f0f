-- Spaces, accounts, sessions, and the journal that every other table's story is told in.
-- Run by gateway_owner. Rows of a space are guarded by row-level security on app.space; what must be found before the
-- space is known has a SECURITY DEFINER function here, and only that.
REVOKE ALL ON SCHEMA gateway FROM PUBLIC;
GRANT USAGE ON SCHEMA gateway TO gateway_app, gateway_ingest;
ALTER DEFAULT PRIVILEGES IN SCHEMA gateway REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE FUNCTION gateway.app_space() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.space', true), '')::uuid $$;
GRANT EXECUTE ON FUNCTION gateway.app_space() TO gateway_app, gateway_ingest;

CREATE TABLE gateway.space (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  zone text NOT NULL DEFAULT 'Europe/Paris',           -- IANA name; days of the patient have 23, 24 or 25 hours in it
  created_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz);
ALTER TABLE gateway.space ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.space USING (id = gateway.app_space());
CREATE POLICY ingest ON gateway.space FOR SELECT TO gateway_ingest USING (true);
GRANT SELECT ON gateway.space TO gateway_app, gateway_ingest;
GRANT UPDATE (zone) ON gateway.space TO gateway_app;

-- No role but the owner reads accounts: signing in goes through the functions below.
CREATE TABLE gateway.account (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  username text NOT NULL UNIQUE CHECK (username = lower(username) AND username ~ '^[a-z0-9._@+-]{2,64}$'),
  kind text NOT NULL CHECK (kind IN ('patient', 'professional', 'reviewer', 'vendor', 'operator')),
  display_name text NOT NULL,
  password_hash text NOT NULL,                           -- argon2id, encoded
  language text NOT NULL DEFAULT 'fr' CHECK (language IN ('fr', 'en')),
  space_id uuid REFERENCES gateway.space,
  failures int NOT NULL DEFAULT 0,                       -- wrong passwords in a row
  not_before timestamptz NOT NULL DEFAULT '-infinity',   -- throttling: no attempt counts before
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'patient') = (space_id IS NOT NULL)));

CREATE TABLE gateway.session (
  hash bytea PRIMARY KEY,                                -- SHA-256 of the cookie
  account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
  csrf_token text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL);
CREATE INDEX ON gateway.session (account_id);

CREATE FUNCTION gateway.account_for_sign_in(p_username text)
  RETURNS TABLE (id uuid, kind text, password_hash text, space_id uuid, display_name text, language text, not_before timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT a.id, a.kind, a.password_hash, a.space_id, a.display_name, a.language, a.not_before
        FROM account a WHERE a.username = lower(p_username) $$;

-- After five wrong passwords in a row, each further one makes the account wait twice as long, up to a quarter of an hour.
CREATE FUNCTION gateway.sign_in_failed(p_account uuid) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ UPDATE account SET failures = failures + 1,
          not_before = CASE WHEN failures < 4 THEN not_before
                       ELSE now() + least(interval '15 minutes', interval '1 second' * 2 ^ least(failures - 4, 10)) END
        WHERE id = p_account $$;

CREATE FUNCTION gateway.session_open(p_hash bytea, p_account uuid, p_csrf text, p_hours int) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ UPDATE account SET failures = 0, not_before = '-infinity' WHERE id = p_account;
        DELETE FROM session WHERE account_id = p_account AND expires_at < now();
        INSERT INTO session (hash, account_id, csrf_token, expires_at)
        VALUES (p_hash, p_account, p_csrf, now() + make_interval(hours => p_hours)) $$;

CREATE FUNCTION gateway.session_of(p_hash bytea)
  RETURNS TABLE (id uuid, kind text, space_id uuid, display_name text, language text, csrf_token text, zone text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT a.id, a.kind, a.space_id, a.display_name, a.language, s.csrf_token, p.zone
        FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN space p ON p.id = a.space_id
        WHERE s.hash = p_hash AND s.expires_at > now() $$;

CREATE FUNCTION gateway.session_close(p_hash bytea) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ DELETE FROM session WHERE hash = p_hash $$;

CREATE FUNCTION gateway.account_set_language(p_hash bytea, p_language text) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ UPDATE account a SET language = p_language FROM session s WHERE s.hash = p_hash AND a.id = s.account_id $$;

-- The new hash, and every other session of the account ends. The caller has checked the old password.
CREATE FUNCTION gateway.account_set_password(p_hash bytea, p_password_hash text) RETURNS uuid
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ WITH mine AS (SELECT account_id FROM session WHERE hash = p_hash),
             gone AS (DELETE FROM session s USING mine WHERE s.account_id = mine.account_id AND s.hash <> p_hash)
        UPDATE account a SET password_hash = p_password_hash FROM mine WHERE a.id = mine.account_id RETURNING a.id $$;

GRANT EXECUTE ON FUNCTION gateway.account_for_sign_in, gateway.sign_in_failed, gateway.session_open, gateway.session_of,
  gateway.session_close, gateway.account_set_language, gateway.account_set_password TO gateway_app;

-- The journal: one hash chain per space; the nil UUID is the chain of what concerns no space. Nobody may change a row.
CREATE TABLE gateway.journal (
  space_id uuid NOT NULL,
  n bigint NOT NULL,
  at timestamptz NOT NULL,
  event text NOT NULL CHECK (event ~ '^[a-z_]+:[a-z_]+:[a-z_]+$'),   -- source:subject:action
  actor_kind text NOT NULL, actor_id text, actor_name text,
  purpose text, resource text, quantity int,
  outcome text NOT NULL CHECK (outcome IN ('permit', 'deny')), reason text,
  details jsonb,
  previous bytea NOT NULL, hash bytea NOT NULL,
  PRIMARY KEY (space_id, n));
CREATE TABLE gateway.journal_head (space_id uuid PRIMARY KEY, n bigint NOT NULL, hash bytea NOT NULL);
ALTER TABLE gateway.journal ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.journal USING (space_id = gateway.app_space());
GRANT SELECT ON gateway.journal TO gateway_app;
CREATE INDEX ON gateway.journal (space_id, at DESC);

CREATE FUNCTION gateway.journal_hash(j gateway.journal) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256(j.previous || convert_to(jsonb_build_array(j.space_id, j.n, extract(epoch FROM j.at), j.event, j.actor_kind,
    j.actor_id, j.actor_name, j.purpose, j.resource, j.quantity, j.outcome, j.reason, j.details)::text, 'UTF8')) $$;

-- Appends to the chain of p_space, which must be the space of the transaction (or none). The head's row lock orders writers.
CREATE FUNCTION gateway.journal_append(p_space uuid, p_event text, p_actor_kind text, p_actor_id text, p_actor_name text,
    p_purpose text, p_resource text, p_quantity int, p_outcome text, p_reason text, p_details jsonb) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE
  chain uuid := coalesce(p_space, '00000000-0000-0000-0000-000000000000');
  row journal;
BEGIN
  IF p_space IS DISTINCT FROM app_space() AND p_space IS NOT NULL THEN
    RAISE EXCEPTION 'journal of another space' USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO journal_head VALUES (chain, 0, sha256(uuid_send(chain))) ON CONFLICT DO NOTHING;
  SELECT chain, h.n + 1, clock_timestamp(), p_event, p_actor_kind, p_actor_id, p_actor_name, p_purpose, p_resource, p_quantity,
         p_outcome, p_reason, p_details, h.hash, NULL
    INTO row FROM journal_head h WHERE h.space_id = chain FOR UPDATE;
  row.hash := journal_hash(row);
  INSERT INTO journal SELECT row.*;
  UPDATE journal_head SET n = row.n, hash = row.hash WHERE space_id = chain;
  RETURN row.n;
END $$;
GRANT EXECUTE ON FUNCTION gateway.journal_append TO gateway_app, gateway_ingest;

-- Outbox: work that follows a transaction, written in it, claimed with FOR UPDATE SKIP LOCKED.
CREATE TABLE gateway.job (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL, payload jsonb NOT NULL,
  run_after timestamptz NOT NULL DEFAULT now(),
  attempts int NOT NULL DEFAULT 0, last_error text, done_at timestamptz);
CREATE INDEX ON gateway.job (run_after) WHERE done_at IS NULL;
GRANT INSERT, SELECT, UPDATE, DELETE ON gateway.job TO gateway_app;
GRANT INSERT ON gateway.job TO gateway_ingest;
CREATE FUNCTION gateway.job_wake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY gateway_job; RETURN NULL; END $$;
CREATE TRIGGER wake AFTER INSERT ON gateway.job FOR EACH STATEMENT EXECUTE FUNCTION gateway.job_wake();
