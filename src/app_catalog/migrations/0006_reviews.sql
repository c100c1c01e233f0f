-- The review of an application, and what its client was seen to do in the sandbox. Nothing here concerns a patient:
-- sandbox spaces are those of simulated patients. Run by gateway_owner.

-- Given back to its vendor as not complete: decided, and the vendor's next version begins with what it says.
ALTER TABLE catalogue.application
  DROP CONSTRAINT application_state_check,
  ADD CONSTRAINT application_state_check
    CHECK (state IN ('draft', 'submitted', 'admissible', 'approved', 'refused', 'withdrawn', 'returned'));

-- ---- who may take part ----------------------------------------------------------------------------------------------
-- Never updated; a later declaration adds to the earlier one, and an interest is never taken back.
CREATE TABLE catalogue.interest (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  reviewer uuid NOT NULL,                   -- an account of the host
  reviewer_name text NOT NULL,
  has_interest boolean NOT NULL,
  statement text NOT NULL,                  -- which one; empty for none
  declared_at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.interest (application_id, reviewer);

-- ---- what the reviewers found ---------------------------------------------------------------------------------------
-- One per reviewer; a draft until it is handed in, and never changed afterwards.
CREATE TABLE catalogue.evaluation (
  id uuid PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  reviewer uuid NOT NULL,
  reviewer_name text NOT NULL,
  criteria jsonb NOT NULL,                  -- by criterion: {verdict: agree | disagree | question, comment}
  purposes jsonb NOT NULL,                  -- by key, the same: whether the need is proportionate
  recommendation text CHECK (recommendation IN ('favourable', 'reservations', 'unfavourable')),
  comment text NOT NULL,
  saved_at timestamptz NOT NULL,
  handed_in_at timestamptz,
  CHECK (handed_in_at IS NULL OR recommendation IS NOT NULL),
  UNIQUE (application_id, reviewer)
);
CREATE TABLE catalogue.question (
  id uuid PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  text text NOT NULL,
  asked_by uuid NOT NULL,
  asked_by_name text NOT NULL,
  asked_at timestamptz NOT NULL,
  answer text,
  answered_by uuid,
  answered_by_name text,
  answered_at timestamptz
);
CREATE INDEX ON catalogue.question (application_id);
-- The newest by an author without interest counts.
CREATE TABLE catalogue.opinion (
  id uuid PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  verdict text NOT NULL CHECK (verdict IN ('favourable', 'reservations', 'unfavourable')),
  text text NOT NULL,
  evaluations int2 NOT NULL,                -- how many it was drawn from
  written_by uuid NOT NULL,
  written_by_name text NOT NULL,
  written_at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.opinion (application_id);

-- ---- what vendor and catalogue agree on -----------------------------------------------------------------------------
-- Offered by a reviewer, accepted by an owner of the vendor, word for word; a renewal is another row.
CREATE TABLE catalogue.agreement (
  id uuid PRIMARY KEY,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  starts_on date NOT NULL,
  ends_on date NOT NULL CHECK (ends_on > starts_on),
  text_version text NOT NULL,
  text jsonb NOT NULL,                      -- {fr, en}: the whole text, with the data of each purpose and the withdrawal
  offered_by uuid NOT NULL,
  offered_by_name text NOT NULL,
  offered_at timestamptz NOT NULL,
  accepted_by uuid,
  accepted_by_name text,
  accepted_at timestamptz
);
CREATE INDEX ON catalogue.agreement (app_id, offered_at);
CREATE INDEX ON catalogue.agreement (application_id);

-- ---- interoperability: what the client did, seen by the authorization server -------------------------------------------
-- A grant that a simulated patient gave, with the application that it is evidence for; NULL for every real patient.
ALTER TABLE catalogue.access_grant ADD COLUMN tested_application uuid REFERENCES catalogue.application;

-- What was seen without anybody asking for it, counted: one row per application, kind and outcome.
CREATE TABLE catalogue.client_observation (
  application_id uuid NOT NULL REFERENCES catalogue.application,
  observation text NOT NULL,
  good boolean NOT NULL,
  times int4 NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  detail text NOT NULL,                     -- of the latest
  PRIMARY KEY (application_id, observation, good)
);
-- Each `state` that the client sent, to see whether one comes twice. SHA-256.
CREATE TABLE catalogue.seen_state (
  application_id uuid NOT NULL REFERENCES catalogue.application,
  hash bytea NOT NULL,
  PRIMARY KEY (application_id, hash)
);

-- A scenario that the product drives in the sandbox: armed for a simulated patient's next authorization.
CREATE TABLE catalogue.scenario_run (
  id uuid PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  app_id uuid NOT NULL REFERENCES catalogue.app,
  scenario text NOT NULL,
  sandbox uuid NOT NULL,                    -- the simulated patient's space
  stage text NOT NULL,                      -- armed, then what the scenario waits for
  outcome text CHECK (outcome IN ('passed', 'failed', 'timed_out', 'cancelled')),
  grant_id uuid,                            -- made by the authorization that it was armed for
  armed_by uuid NOT NULL,
  armed_by_name text NOT NULL,
  armed_at timestamptz NOT NULL,
  stage_at timestamptz NOT NULL,            -- since when it waits for that
  ended_at timestamptz,
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX ON catalogue.scenario_run (app_id, sandbox) WHERE outcome IS NULL;
CREATE INDEX ON catalogue.scenario_run (application_id, scenario);
CREATE TABLE catalogue.scenario_step (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id uuid NOT NULL REFERENCES catalogue.scenario_run,
  step text NOT NULL,                       -- what happened, as an English msgid
  at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.scenario_step (run_id, id);

-- What a reviewer takes as shown elsewhere, with the reason: it stands beside the runs and says so.
CREATE TABLE catalogue.attestation (
  application_id uuid PRIMARY KEY REFERENCES catalogue.application,
  reason text NOT NULL,
  attested_by uuid NOT NULL,
  attested_by_name text NOT NULL,
  attested_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON catalogue.interest, catalogue.evaluation, catalogue.question, catalogue.opinion,
  catalogue.agreement, catalogue.client_observation, catalogue.seen_state, catalogue.scenario_run,
  catalogue.scenario_step, catalogue.attestation TO gateway_app;
GRANT UPDATE (criteria, purposes, recommendation, comment, saved_at, handed_in_at) ON catalogue.evaluation TO gateway_app;
GRANT UPDATE (answer, answered_by, answered_by_name, answered_at) ON catalogue.question TO gateway_app;
GRANT UPDATE (accepted_by, accepted_by_name, accepted_at) ON catalogue.agreement TO gateway_app;
GRANT UPDATE (times, last_at, detail) ON catalogue.client_observation TO gateway_app;
GRANT UPDATE (stage, outcome, grant_id, stage_at, ended_at) ON catalogue.scenario_run TO gateway_app;
