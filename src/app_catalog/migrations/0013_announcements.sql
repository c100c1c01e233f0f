-- What connected patients are told when their app moves, and work that failed for one patient and is tried again later;
-- reminders of corrections, ends given to apps without an agreement, simulated patients that nobody uses.
-- Run by gateway_owner.

-- ---- what connected patients are told when an app moves --------------------------------------------------------------
-- A row per move and patient, written in one statement with the move; told by a job, each in a transaction of its own.
CREATE TABLE catalogue.announcement (
  step_id int8 NOT NULL REFERENCES catalogue.app_step,
  subject uuid NOT NULL,
  told_at timestamptz,
  PRIMARY KEY (step_id, subject)
);
CREATE INDEX ON catalogue.announcement (step_id, subject) WHERE told_at IS NULL;

-- ---- work that failed for one patient: the others do not wait for it -------------------------------------------------
CREATE TABLE catalogue.setback (
  work text NOT NULL,
  subject uuid NOT NULL,
  attempts int4 NOT NULL,
  due_at timestamptz NOT NULL,              -- by the clock of the database: it is about this machine, not about the work
  error text NOT NULL,                      -- the kind of error only: its words may quote what it was about
  PRIMARY KEY (work, subject)
);

DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['announcement', 'setback'] LOOP
    EXECUTE format('ALTER TABLE catalogue.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_space ON catalogue.%I TO gateway_app
      USING (subject = nullif(current_setting(''app.space'', true), '''')::uuid)
      WITH CHECK (subject = nullif(current_setting(''app.space'', true), '''')::uuid)', name);
  END LOOP;
END $$;
GRANT SELECT, UPDATE (told_at) ON catalogue.announcement TO gateway_app;
GRANT SELECT, INSERT, DELETE, UPDATE (attempts, due_at, error) ON catalogue.setback TO gateway_app;

CREATE FUNCTION catalogue.waits(wanted_work text, of_subject uuid) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM catalogue.setback s
    WHERE s.work = wanted_work AND s.subject = of_subject AND s.due_at > clock_timestamp()) $$;

-- Whoever is connected with the app is told of a step of its life. Of a removal simulated patients are, too: it ends
-- their connections.
CREATE FUNCTION catalogue.announce(wanted_step int8) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO catalogue.announcement (step_id, subject)
    SELECT m.id, r.subject FROM catalogue.app_step m JOIN catalogue.pairing r ON r.app_id = m.app_id
    WHERE m.id = wanted_step AND (
        EXISTS (SELECT FROM catalogue.consent c WHERE c.pairing_id = r.id AND c.withdrawn_at IS NULL)
        OR EXISTS (SELECT FROM catalogue.access_grant g WHERE g.pairing_id = r.id AND g.revoked_at IS NULL))
      AND (m.to_status = 'DEREFERENCED'
        OR NOT EXISTS (SELECT FROM catalogue.sandbox_space s WHERE s.subject = r.subject))
    ON CONFLICT DO NOTHING $$;
-- Ids of what patients have not been told yet; of one patient the earlier step first.
CREATE FUNCTION catalogue.announcements_due(batch int4) RETURNS TABLE (subject uuid, step_id int8)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT n.subject, n.step_id FROM catalogue.announcement n
  WHERE n.told_at IS NULL AND NOT catalogue.waits('announcement', n.subject)
  ORDER BY n.step_id, n.subject LIMIT batch $$;

-- As before, but for those for whom it failed a moment ago.
CREATE OR REPLACE FUNCTION catalogue.reapprovals_to_tell(at timestamptz) RETURNS TABLE (subject uuid, id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT q.subject, q.id FROM catalogue.reapproval q WHERE q.answered_at IS NULL
    AND (q.told_at IS NULL OR (q.limit_at <= at AND q.stopped_at IS NULL)) AND NOT catalogue.waits('question', q.subject)
  ORDER BY q.subject, q.id LIMIT 500 $$;
CREATE OR REPLACE FUNCTION catalogue.consents_ended(at timestamptz) RETURNS TABLE (subject uuid, pairing_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT c.subject, c.pairing_id FROM catalogue.consent c WHERE c.withdrawn_at IS NULL AND c.ends_at <= at
    AND NOT catalogue.waits('end', c.subject)
  ORDER BY c.subject, c.pairing_id LIMIT 500 $$;
CREATE OR REPLACE FUNCTION catalogue.apps_lists_due(before timestamptz) RETURNS TABLE (subject uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.subject FROM catalogue.consent c LEFT JOIN catalogue.apps_list l ON l.subject = c.subject
  WHERE c.withdrawn_at IS NULL AND (l.sent_at IS NULL OR l.sent_at <= before)
    AND NOT EXISTS (SELECT FROM catalogue.sandbox_space s WHERE s.subject = c.subject)
    AND NOT catalogue.waits('list', c.subject)
  GROUP BY c.subject, l.sent_at HAVING l.sent_at IS NOT NULL OR min(c.given_at) <= before
  ORDER BY c.subject LIMIT 500 $$;

-- ---- a new version asks again: which questions it supersedes is what it has just closed, not what bears its time -----
CREATE OR REPLACE FUNCTION catalogue.ask_again(wanted_app uuid, version uuid, former uuid, at timestamptz,
    until timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH closed AS (
    UPDATE catalogue.reapproval SET answered_at = at, outcome = 'superseded'
    WHERE app_id = wanted_app AND answered_at IS NULL RETURNING pairing_id, former_application_id, limit_at
  ), superseded AS MATERIALIZED (  -- sorted, so that all are closed before the first is asked anew
    SELECT pairing_id, former_application_id, limit_at FROM closed ORDER BY pairing_id
  )
  INSERT INTO catalogue.reapproval (pairing_id, subject, app_id, application_id, former_application_id, reason,
      asked_at, limit_at)
    SELECT r.id, r.subject, wanted_app, version, coalesce(o.former_application_id, former), 'version', at,
      least(until, o.limit_at)
    FROM catalogue.pairing r LEFT JOIN superseded o ON o.pairing_id = r.id
    WHERE r.app_id = wanted_app AND EXISTS (
        SELECT FROM catalogue.consent c WHERE c.pairing_id = r.id AND c.withdrawn_at IS NULL AND c.ends_at > at)
      AND NOT EXISTS (SELECT FROM catalogue.sandbox_space s WHERE s.subject = r.subject);
$$;

REVOKE ALL ON FUNCTION catalogue.waits(text, uuid), catalogue.announce(int8), catalogue.announcements_due(int4) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.waits(text, uuid), catalogue.announce(int8), catalogue.announcements_due(int4)
  TO gateway_app;

-- ---- corrections that an audit demands: what the vendor was reminded of, once each -----------------------------------
CREATE TABLE catalogue.correction_reminder (
  audit_id uuid NOT NULL REFERENCES catalogue.audit,
  due_on date NOT NULL,
  days int2 NOT NULL,                       -- before the limit; -1: it had passed
  sent_at timestamptz NOT NULL,
  told boolean NOT NULL,                    -- the vendor has an address that was shown to be its own
  PRIMARY KEY (audit_id, due_on, days)
);
GRANT SELECT, INSERT ON catalogue.correction_reminder TO gateway_app;

-- ---- apps approved before there were agreements: an end that they were given -----------------------------------------
-- The newest row of an app counts, as long as the version in force has no agreement. Never updated.
CREATE TABLE catalogue.given_end (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  ends_on date NOT NULL,                    -- the first day without
  reason text NOT NULL,
  given_by uuid NOT NULL,
  given_by_name text NOT NULL,
  given_at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.given_end (app_id, id);
GRANT SELECT, INSERT ON catalogue.given_end TO gateway_app;

-- ---- simulated patients that nobody uses -----------------------------------------------------------------------------
ALTER TABLE catalogue.sandbox_space
  ADD COLUMN reset_at timestamptz,
  ADD COLUMN warned_at timestamptz;         -- its vendor was told that it ends; what was used since ends later
GRANT UPDATE (reset_at, warned_at) ON catalogue.sandbox_space TO gateway_app;

-- ---- notices to vendors: a few of each at a time ---------------------------------------------------------------------
CREATE INDEX ON catalogue.revocation_notice (app_id, due_at) WHERE delivered_at IS NULL AND given_up_at IS NULL;
