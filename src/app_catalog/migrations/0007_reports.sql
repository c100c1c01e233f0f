-- What becomes of an app once it is approved: why it moved, its circle of first users, reports, audits, complaints,
-- renewal. Run by gateway_owner.

-- ---- why an app moved, in words for patients ------------------------------------------------------------------------
ALTER TABLE catalogue.app_step
  ADD COLUMN cause text,                    -- a key of `catalogue.causes.Cause`: what patients read; NULL: nothing for them
  ALTER COLUMN actor DROP NOT NULL;         -- none: the end of an agreement moved it, nobody did

-- ---- the circle of a pre-series -------------------------------------------------------------------------------------
-- A link that the vendor gives to patients; each who follows it takes a place.
CREATE TABLE catalogue.invitation (
  hash bytea PRIMARY KEY,                   -- SHA-256
  app_id uuid NOT NULL REFERENCES catalogue.app,
  label text NOT NULL,                      -- for the vendor: whom it was given to
  places int2 NOT NULL CHECK (places > 0),
  taken int2 NOT NULL DEFAULT 0 CHECK (taken BETWEEN 0 AND places),
  created_by uuid NOT NULL,
  created_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX ON catalogue.invitation (app_id);
CREATE TABLE catalogue.circle (
  app_id uuid NOT NULL REFERENCES catalogue.app,
  subject uuid NOT NULL,
  invitation bytea NOT NULL REFERENCES catalogue.invitation,
  joined_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, subject)
);

-- ---- reports by patients, and the audits that they open -------------------------------------------------------------
CREATE TABLE catalogue.audit (
  id uuid PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  state text NOT NULL CHECK (state IN ('open', 'corrective', 'closed')),
  assigned_to uuid,
  assigned_name text,
  opened_at timestamptz NOT NULL,
  outcome text CHECK (outcome IN ('closed', 'corrective', 'suspension', 'removal')),  -- the last one given
  due_on date,                              -- of a corrective action
  ended_at timestamptz
);
CREATE UNIQUE INDEX audit_in_progress ON catalogue.audit (app_id) WHERE state <> 'closed';
-- Never updated.
CREATE TABLE catalogue.audit_step (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  audit_id uuid NOT NULL REFERENCES catalogue.audit,
  step text NOT NULL,
  actor_kind text NOT NULL,
  actor uuid,                               -- none for a patient: a report opened it
  actor_name text NOT NULL,
  text text NOT NULL,
  outcome text,                             -- of a step that decided
  at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.audit_step (audit_id, id);

-- The number under which reviewers know a patient who reports an app: the same for each report on that app.
CREATE TABLE catalogue.reporter (
  number int8 GENERATED ALWAYS AS IDENTITY (START WITH 1000) PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  subject uuid NOT NULL,
  UNIQUE (app_id, subject)
);
CREATE TABLE catalogue.report (
  id uuid PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  audit_id uuid NOT NULL REFERENCES catalogue.audit,
  reporter int8 NOT NULL REFERENCES catalogue.reporter,
  category text NOT NULL,
  text text NOT NULL,
  contact text,                             -- name and address, of who may be contacted
  at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.report (audit_id);
CREATE INDEX ON catalogue.report (reporter);

-- ---- complaints of vendors, renewal of agreements -------------------------------------------------------------------
CREATE TABLE catalogue.complaint (
  id uuid PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  step_id int8 NOT NULL UNIQUE REFERENCES catalogue.app_step,  -- the decision that it is about
  text text NOT NULL,
  made_by uuid NOT NULL,
  made_by_name text NOT NULL,
  made_at timestamptz NOT NULL,
  upheld boolean,
  answer text,
  answered_by uuid,
  answered_by_name text,
  answered_at timestamptz
);
CREATE INDEX ON catalogue.complaint (app_id);
CREATE TABLE catalogue.renewal (
  id uuid PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  text text NOT NULL,
  made_by uuid NOT NULL,
  made_by_name text NOT NULL,
  made_at timestamptz NOT NULL,
  granted boolean,
  until date,                               -- the end that was agreed
  reason text,
  decided_by uuid,
  decided_by_name text,
  decided_at timestamptz
);
CREATE UNIQUE INDEX renewal_in_progress ON catalogue.renewal (app_id) WHERE decided_at IS NULL;
-- Warnings that were sent, each once for the end that it is about.
CREATE TABLE catalogue.end_warning (
  app_id uuid NOT NULL REFERENCES catalogue.app,
  ends_on date NOT NULL,
  days int2 NOT NULL,
  sent_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, ends_on, days)
);

-- ---- row-level security, rights -------------------------------------------------------------------------------------
DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['circle', 'reporter'] LOOP
    EXECUTE format('ALTER TABLE catalogue.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_space ON catalogue.%I TO gateway_app
      USING (subject = nullif(current_setting(''app.space'', true), '''')::uuid)
      WITH CHECK (subject = nullif(current_setting(''app.space'', true), '''')::uuid)', name);
  END LOOP;
END $$;
GRANT SELECT, INSERT ON catalogue.invitation, catalogue.circle, catalogue.audit, catalogue.audit_step,
  catalogue.reporter, catalogue.report, catalogue.complaint, catalogue.renewal, catalogue.end_warning TO gateway_app;
GRANT UPDATE (taken, ended_at) ON catalogue.invitation TO gateway_app;
GRANT UPDATE (state, assigned_to, assigned_name, outcome, due_on, ended_at) ON catalogue.audit TO gateway_app;
GRANT UPDATE (upheld, answer, answered_by, answered_by_name, answered_at) ON catalogue.complaint TO gateway_app;
GRANT UPDATE (granted, until, reason, decided_by, decided_by_name, decided_at) ON catalogue.renewal TO gateway_app;

-- Spaces whose patients reported what an audit was about: to tell each of its outcome.
CREATE FUNCTION catalogue.reporters_of_audit(wanted uuid) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT DISTINCT o.subject FROM catalogue.report r JOIN catalogue.reporter o ON o.number = r.reporter
    WHERE r.audit_id = wanted ORDER BY o.subject';

-- ---- search ---------------------------------------------------------------------------------------------------------
-- Text without accents and case, to search in.
CREATE FUNCTION catalogue.plain(words text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT regexp_replace(replace(replace(lower(normalize(words, NFKD)), 'œ', 'oe'), 'æ', 'ae'),
    '[\u0300-\u036f]', '', 'g') $$;
-- What words are looked for in of an application that was approved: written when the first search meets it, for its texts
-- never change, and taking accents away takes as long as all the rest.
CREATE TABLE catalogue.search_text (
  application_id uuid PRIMARY KEY REFERENCES catalogue.application,
  words text NOT NULL
);
GRANT SELECT, INSERT ON catalogue.search_text TO gateway_app;
REVOKE ALL ON FUNCTION catalogue.reporters_of_audit(uuid), catalogue.plain(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.reporters_of_audit(uuid), catalogue.plain(text) TO gateway_app;
