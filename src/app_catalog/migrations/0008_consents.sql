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

REVOKE ALL ON FUNCTION
  catalogue.ask_again(uuid, uuid, uuid, timestamptz, timestamptz), catalogue.reapprovals_to_tell(timestamptz),
  catalogue.consents_ended(timestamptz), catalogue.apps_lists_due(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  catalogue.ask_again(uuid, uuid, uuid, timestamptz, timestamptz), catalogue.reapprovals_to_tell(timestamptz),
  catalogue.consents_ended(timestamptz), catalogue.apps_lists_due(timestamptz) TO gateway_app;
