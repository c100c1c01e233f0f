-- Consents that end, versions that are asked about again, what a vendor is told of an end, the list of connected apps.
-- Run by gateway_owner.

-- ---- consents: each row is one version, never changed but to close it ------------------------------------------------
ALTER TABLE catalogue.consent
  ADD COLUMN ends_at timestamptz,           -- chosen by the patient, a year at most
  ADD COLUMN closed_as text CHECK (closed_as IN (
    'withdrawn',                            -- the patient took this purpose back
    'disconnected',                         -- the patient disconnected the app
    'changed',                              -- the patient chose another end: a row with the same words follows
    'replaced',                             -- the patient agreed to newer words: their row follows
    'ended',                                -- its date came
    'removed'));                            -- the app left the catalogue
UPDATE catalogue.consent c SET ends_at = greatest(c.given_at + interval '365 days',
  (SELECT max(g.expires_at) FROM catalogue.access_grant g WHERE g.pairing_id = c.pairing_id));
UPDATE catalogue.consent SET closed_as = 'withdrawn' WHERE withdrawn_at IS NOT NULL;
ALTER TABLE catalogue.consent ALTER COLUMN ends_at SET NOT NULL,
  ADD CHECK ((closed_as IS NULL) = (withdrawn_at IS NULL));
CREATE INDEX ON catalogue.consent (ends_at) WHERE withdrawn_at IS NULL;
GRANT UPDATE (closed_as) ON catalogue.consent TO gateway_app;

-- ---- a connected patient is asked again: purposes that stayed the same go on until the limit, nothing does after it ---
CREATE TABLE catalogue.reapproval (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  pairing_id uuid NOT NULL REFERENCES catalogue.pairing,
  subject uuid NOT NULL,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  application_id uuid NOT NULL REFERENCES catalogue.application,        -- the version asked about
  former_application_id uuid NOT NULL REFERENCES catalogue.application, -- in force when the patient was last asked
  reason text NOT NULL CHECK (reason IN ('version', 'majority')),
  asked_at timestamptz NOT NULL,
  limit_at timestamptz NOT NULL,
  told_at timestamptz,                      -- the patient was written to
  stopped_at timestamptz,                   -- the limit came without an answer, and the journal says so
  answered_at timestamptz,
  answered_by uuid,
  outcome text CHECK (outcome IN ('agreed', 'disconnected', 'superseded')),
  CHECK ((outcome IS NULL) = (answered_at IS NULL))
);
CREATE UNIQUE INDEX ON catalogue.reapproval (pairing_id) WHERE answered_at IS NULL;
CREATE INDEX ON catalogue.reapproval (subject);

-- ---- the list of connected apps that every patient is sent -----------------------------------------------------------
CREATE TABLE catalogue.apps_list (
  subject uuid PRIMARY KEY,
  sent_at timestamptz NOT NULL,             -- the last one
  seen_at timestamptz                       -- when the patient looked at it in the portal
);

DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['reapproval', 'apps_list'] LOOP
    EXECUTE format('ALTER TABLE catalogue.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_space ON catalogue.%I TO gateway_app
      USING (subject = nullif(current_setting(''app.space'', true), '''')::uuid)
      WITH CHECK (subject = nullif(current_setting(''app.space'', true), '''')::uuid)', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE (told_at, stopped_at, answered_at, answered_by, outcome) ON catalogue.reapproval TO gateway_app;
GRANT SELECT, INSERT, UPDATE (sent_at, seen_at) ON catalogue.apps_list TO gateway_app;

-- ---- what a vendor is told when access ends: the pairing id and a class of reasons, nothing of the patient -----------
ALTER TABLE catalogue.app
  ADD COLUMN notification_url text,
  ADD COLUMN notification_set_at timestamptz,
  ADD COLUMN notification_gone_at timestamptz;  -- the address answered 410: nothing is sent until it is set again
GRANT UPDATE (notification_url, notification_set_at, notification_gone_at) ON catalogue.app TO gateway_app;
CREATE TABLE catalogue.revocation_notice (
  id uuid PRIMARY KEY,                      -- the jti of the token that carries it
  app_id uuid NOT NULL REFERENCES catalogue.app,
  pairing_id uuid NOT NULL,
  reason text NOT NULL,                     -- a class, one of `app_catalog.consents.notices.Reason`
  happened_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,              -- of the next attempt
  attempts int4 NOT NULL DEFAULT 0,
  attempted_at timestamptz,
  last_answer text,                         -- what came of the last attempt, in words for the vendor
  delivered_at timestamptz,
  given_up_at timestamptz
);
CREATE INDEX ON catalogue.revocation_notice (due_at) WHERE delivered_at IS NULL AND given_up_at IS NULL;
CREATE INDEX ON catalogue.revocation_notice (app_id, happened_at);
GRANT SELECT, INSERT, UPDATE (due_at, attempts, attempted_at, last_answer, delivered_at, given_up_at)
  ON catalogue.revocation_notice TO gateway_app;

-- ---- what a token is worth at this moment ----------------------------------------------------------------------------
DROP FUNCTION catalogue.grant_of_token(bytea), catalogue.open_token(bytea), catalogue.open_code(bytea);
DROP VIEW catalogue.token_state, catalogue.code_state, catalogue.grant_state;

-- A consent counts while its date has not come, the version in force has its purpose word for word, and no question about
-- a new version is left unanswered beyond its limit. A grant ends with the last consent under it. In the space of a
-- simulated patient an app of the same vendor is its undecided application, and every other app is nothing.
CREATE VIEW catalogue.grant_state AS
  SELECT g.id AS grant_id, g.pairing_id, g.subject, g.person, g.scope AS grant_scope, g.created_at AS grant_created_at,
    least(g.expires_at, k.ends_at) AS grant_expires_at, g.revoked_at AS grant_revoked_at, g.revoked_reason,
    a.id AS app_id, a.client_id, a.status AS app_status, v.name AS app_name, v.profile,
    CASE WHEN w.waits THEN '[]' ELSE k.consented END AS consented, w.waits AS waits_for_answer,
    s.subject IS NOT NULL AS in_sandbox, g.tested_application
  FROM catalogue.access_grant g
  JOIN catalogue.pairing r ON r.id = g.pairing_id
  JOIN catalogue.app a ON a.id = r.app_id
  LEFT JOIN catalogue.sandbox_space s ON s.subject = g.subject
  JOIN catalogue.application v ON v.id = CASE
    WHEN s.subject IS NULL THEN a.application_id
    WHEN s.ended_at IS NULL AND s.vendor_id = a.vendor_id THEN (SELECT n.id FROM catalogue.application n
      WHERE n.app_id = a.id AND n.state IN ('submitted', 'admissible') ORDER BY n.version DESC LIMIT 1) END
  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM catalogue.reapproval q
      WHERE q.pairing_id = g.pairing_id AND q.answered_at IS NULL AND q.limit_at <= now()) AS waits) w
  CROSS JOIN LATERAL (SELECT max(c.ends_at) AS ends_at,
      coalesce(jsonb_agg(jsonb_build_object('key', f.key, 'fr', f.name_fr, 'en', f.name_en,
        'scope', f.read_scope || ' ' || f.write_scope) ORDER BY f.position)
        FILTER (WHERE f.id IS NOT NULL AND c.ends_at > now()), '[]') AS consented
    FROM catalogue.consent c JOIN catalogue.purpose p ON p.id = c.purpose_id
    LEFT JOIN catalogue.purpose f ON f.application_id = v.id AND f.same_as = p.same_as
    WHERE c.pairing_id = g.pairing_id AND c.withdrawn_at IS NULL) k;
CREATE VIEW catalogue.token_state AS
  SELECT t.hash, t.kind, t.scope, t.issued_at, t.expires_at, t.used_at, t.revoked_at, t.sealed, t.certificate, g.*
  FROM catalogue.token t JOIN catalogue.grant_state g USING (grant_id);
CREATE VIEW catalogue.code_state AS
  SELECT c.hash, c.redirect_uri, c.code_challenge, c.expires_at, c.used_at, g.*
  FROM catalogue.authorization_code c JOIN catalogue.grant_state g USING (grant_id);

CREATE FUNCTION catalogue.grant_of_token(wanted bytea) RETURNS SETOF catalogue.token_state
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT * FROM catalogue.token_state WHERE hash = wanted';
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

-- ---- what jobs must find before the space is known: ids only ---------------------------------------------------------
-- Ask every patient who is connected with an app, in one statement. A question that is still open keeps its limit.
CREATE FUNCTION catalogue.ask_again(wanted_app uuid, version uuid, former uuid, at timestamptz, until timestamptz)
  RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE catalogue.reapproval SET answered_at = at, outcome = 'superseded'
    WHERE app_id = wanted_app AND answered_at IS NULL;
  INSERT INTO catalogue.reapproval (pairing_id, subject, app_id, application_id, former_application_id, reason,
      asked_at, limit_at)
    SELECT r.id, r.subject, wanted_app, version, coalesce(o.former_application_id, former), 'version', at,
      least(until, o.limit_at)
    FROM catalogue.pairing r LEFT JOIN catalogue.reapproval o
      ON o.pairing_id = r.id AND o.outcome = 'superseded' AND o.answered_at = at
    WHERE r.app_id = wanted_app AND EXISTS (
        SELECT FROM catalogue.consent c WHERE c.pairing_id = r.id AND c.withdrawn_at IS NULL AND c.ends_at > at)
      AND NOT EXISTS (SELECT FROM catalogue.sandbox_space s WHERE s.subject = r.subject);
$$;
CREATE FUNCTION catalogue.reapprovals_to_tell(at timestamptz) RETURNS TABLE (subject uuid, id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT q.subject, q.id FROM catalogue.reapproval q WHERE q.answered_at IS NULL
    AND (q.told_at IS NULL OR (q.limit_at <= at AND q.stopped_at IS NULL)) ORDER BY q.subject, q.id LIMIT 500 $$;
CREATE FUNCTION catalogue.consents_ended(at timestamptz) RETURNS TABLE (subject uuid, pairing_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT c.subject, c.pairing_id FROM catalogue.consent c WHERE c.withdrawn_at IS NULL AND c.ends_at <= at
    ORDER BY c.subject, c.pairing_id LIMIT 500 $$;
-- Spaces that have had an app connected, and no list of them, since `before`.
CREATE FUNCTION catalogue.apps_lists_due(before timestamptz) RETURNS TABLE (subject uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.subject FROM catalogue.consent c LEFT JOIN catalogue.apps_list l ON l.subject = c.subject
  WHERE c.withdrawn_at IS NULL AND (l.sent_at IS NULL OR l.sent_at <= before)
    AND NOT EXISTS (SELECT FROM catalogue.sandbox_space s WHERE s.subject = c.subject)
  GROUP BY c.subject, l.sent_at HAVING l.sent_at IS NOT NULL OR min(c.given_at) <= before
  ORDER BY c.subject LIMIT 500 $$;

REVOKE ALL ON FUNCTION catalogue.grant_of_token(bytea), catalogue.open_token(bytea), catalogue.open_code(bytea),
  catalogue.ask_again(uuid, uuid, uuid, timestamptz, timestamptz), catalogue.reapprovals_to_tell(timestamptz),
  catalogue.consents_ended(timestamptz), catalogue.apps_lists_due(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.grant_of_token(bytea), catalogue.open_token(bytea), catalogue.open_code(bytea),
  catalogue.ask_again(uuid, uuid, uuid, timestamptz, timestamptz), catalogue.reapprovals_to_tell(timestamptz),
  catalogue.consents_ended(timestamptz), catalogue.apps_lists_due(timestamptz) TO gateway_app;
