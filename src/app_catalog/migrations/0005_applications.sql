-- What a vendor writes for review: drafts, versions, documents, and answers to a versioned set of criteria.
-- Run by gateway_owner.

-- ---- criteria -------------------------------------------------------------------------------------------------------
CREATE TABLE catalogue.criteria_set (
  version int4 PRIMARY KEY CHECK (version > 0),
  state text NOT NULL CHECK (state IN ('draft', 'published')),
  note text NOT NULL DEFAULT '',            -- what is new in it
  created_at timestamptz NOT NULL,
  published_at timestamptz,
  published_by uuid,                        -- none: it came with the product
  CHECK ((state = 'published') = (published_at IS NOT NULL))
);
CREATE UNIQUE INDEX ON catalogue.criteria_set (state) WHERE state = 'draft';
CREATE TABLE catalogue.criterion (
  set_version int4 NOT NULL REFERENCES catalogue.criteria_set,
  code text NOT NULL,                       -- for instance SEC-03; keeps its meaning from set to set
  position int2 NOT NULL,
  area text NOT NULL CHECK (area IN ('security', 'interoperability', 'ethics', 'accessibility', 'sustainability')),
  mandatory boolean NOT NULL,
  exchange_only boolean NOT NULL,           -- asked only of apps that exchange data with the health space
  text_fr text NOT NULL,
  text_en text NOT NULL,
  help_fr text NOT NULL,
  help_en text NOT NULL,
  evidence_fr text NOT NULL,                -- what is asked as evidence
  evidence_en text NOT NULL,
  source text NOT NULL,                     -- where the demand comes from
  PRIMARY KEY (set_version, code),
  UNIQUE (set_version, position) DEFERRABLE
);

-- ---- applications: more columns, and drafts -------------------------------------------------------------------------
-- Bytes that vendors gave, once each. Only documents and logos lead to them.
CREATE TABLE catalogue.content (
  sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32),
  media_type text NOT NULL,                 -- as the bytes themselves say
  bytes bytea NOT NULL CHECK (length(bytes) <= 10485760),
  added_at timestamptz NOT NULL
);

ALTER TABLE catalogue.application
  ADD COLUMN version int4 NOT NULL DEFAULT 1 CHECK (version > 0),
  ADD COLUMN created_at timestamptz,
  ADD COLUMN saved_at timestamptz,
  ADD COLUMN draft jsonb,                   -- what was typed, by section, complete or not; only while it is a draft
  ADD COLUMN changes_fr text NOT NULL DEFAULT '',
  ADD COLUMN changes_en text NOT NULL DEFAULT '',
  ADD COLUMN exchanges_data boolean NOT NULL DEFAULT true,
  ADD COLUMN links jsonb NOT NULL DEFAULT '{}',   -- site, terms, privacy, support, ios, android, web: each an https URL
  ADD COLUMN economic_model text NOT NULL DEFAULT 'free'
    CHECK (economic_model IN ('free', 'free_with_purchases', 'paid')),
  ADD COLUMN regions text[] NOT NULL DEFAULT '{}',    -- ISO 3166-2; none: everywhere
  ADD COLUMN themes text[] NOT NULL DEFAULT '{}',
  ADD COLUMN medical_device_class text CHECK (medical_device_class IN ('I', 'IIa', 'IIb', 'III')),
  ADD COLUMN medical_device_certificate text,
  ADD COLUMN logo bytea REFERENCES catalogue.content,
  ADD COLUMN criteria_version int4 REFERENCES catalogue.criteria_set,
  ALTER COLUMN submitted_by DROP NOT NULL,
  ALTER COLUMN submitted_at DROP NOT NULL,
  DROP CONSTRAINT application_state_check,
  ADD CONSTRAINT application_state_check
    CHECK (state IN ('draft', 'submitted', 'admissible', 'approved', 'refused', 'withdrawn'));
UPDATE catalogue.application SET created_at = submitted_at, saved_at = submitted_at;
ALTER TABLE catalogue.application
  ALTER COLUMN version DROP DEFAULT,
  ALTER COLUMN created_at SET NOT NULL,
  ALTER COLUMN saved_at SET NOT NULL,
  ADD UNIQUE (app_id, version),
  ADD CHECK ((draft IS NOT NULL) = (state = 'draft')),
  ADD CHECK (state IN ('draft', 'withdrawn') OR submitted_at IS NOT NULL);
CREATE UNIQUE INDEX one_undecided_application ON catalogue.application (app_id)
  WHERE state IN ('draft', 'submitted', 'admissible');

ALTER TABLE catalogue.purpose
  ADD COLUMN justification text NOT NULL DEFAULT '',  -- of the need, for reviewers
  ADD COLUMN same_as uuid;                  -- the first purpose of this app that says the same word for word, or itself
UPDATE catalogue.purpose SET same_as = id;
ALTER TABLE catalogue.purpose ALTER COLUMN same_as SET NOT NULL, ADD FOREIGN KEY (same_as) REFERENCES catalogue.purpose;

CREATE TABLE catalogue.document (
  id uuid PRIMARY KEY,
  application_id uuid NOT NULL REFERENCES catalogue.application,
  kind text NOT NULL CHECK (kind IN ('impact_assessment', 'supporting', 'evidence')),
  name text NOT NULL,                       -- of the file, as its vendor named it
  sha256 bytea NOT NULL REFERENCES catalogue.content,
  added_by uuid NOT NULL,
  added_at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.document (application_id);
CREATE INDEX ON catalogue.document (sha256);
CREATE INDEX ON catalogue.application (logo) WHERE logo IS NOT NULL;

CREATE TABLE catalogue.answer (
  application_id uuid NOT NULL REFERENCES catalogue.application,
  set_version int4 NOT NULL,
  code text NOT NULL,
  answer text NOT NULL CHECK (answer IN ('met', 'not_met', 'not_applicable')),
  explanation text NOT NULL,
  document_id uuid REFERENCES catalogue.document,
  PRIMARY KEY (application_id, code),
  FOREIGN KEY (set_version, code) REFERENCES catalogue.criterion
);

-- ---- what was submitted or published stays as it is -----------------------------------------------------------------
CREATE FUNCTION catalogue.application_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'draft' AND (NEW.state = 'draft' OR
      (OLD.name, OLD.description_fr, OLD.description_en, OLD.profile, OLD.redirect_uris, OLD.origins, OLD.launch_uri,
       OLD.id_token_signed_response_alg, OLD.changes_fr, OLD.changes_en, OLD.exchanges_data, OLD.links,
       OLD.economic_model, OLD.regions, OLD.themes, OLD.medical_device_class, OLD.medical_device_certificate, OLD.logo,
       OLD.criteria_version, OLD.version, OLD.submitted_at)
      IS DISTINCT FROM
      (NEW.name, NEW.description_fr, NEW.description_en, NEW.profile, NEW.redirect_uris, NEW.origins, NEW.launch_uri,
       NEW.id_token_signed_response_alg, NEW.changes_fr, NEW.changes_en, NEW.exchanges_data, NEW.links,
       NEW.economic_model, NEW.regions, NEW.themes, NEW.medical_device_class, NEW.medical_device_certificate, NEW.logo,
       NEW.criteria_version, NEW.version, NEW.submitted_at)) THEN
    RAISE EXCEPTION 'an application that was submitted does not change';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER application_stays BEFORE UPDATE ON catalogue.application
  FOR EACH ROW EXECUTE FUNCTION catalogue.application_stays();

-- For what belongs to an application: written and taken away while it is a draft.
CREATE FUNCTION catalogue.of_a_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM catalogue.application WHERE state = 'draft'
      AND id = (CASE WHEN TG_OP = 'DELETE' THEN OLD.application_id ELSE NEW.application_id END)) THEN
    RAISE EXCEPTION 'an application that was submitted does not change';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER of_a_draft BEFORE INSERT OR DELETE ON catalogue.document
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft();
CREATE TRIGGER of_a_draft BEFORE INSERT ON catalogue.answer
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft();
CREATE TRIGGER of_a_draft BEFORE INSERT ON catalogue.purpose
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft();

CREATE FUNCTION catalogue.of_a_draft_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM catalogue.criteria_set WHERE state = 'draft'
      AND version = (CASE WHEN TG_OP = 'INSERT' THEN NEW.set_version ELSE OLD.set_version END))
      OR (TG_OP = 'UPDATE' AND NEW.set_version <> OLD.set_version) THEN
    RAISE EXCEPTION 'criteria that were published do not change';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER of_a_draft_set BEFORE INSERT OR UPDATE OR DELETE ON catalogue.criterion
  FOR EACH ROW EXECUTE FUNCTION catalogue.of_a_draft_set();

GRANT SELECT, INSERT ON catalogue.content, catalogue.answer, catalogue.criteria_set TO gateway_app;
GRANT UPDATE (added_at) ON catalogue.content TO gateway_app;
GRANT SELECT, INSERT, DELETE ON catalogue.document TO gateway_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON catalogue.criterion TO gateway_app;
GRANT UPDATE (state, note, published_at, published_by) ON catalogue.criteria_set TO gateway_app;
GRANT UPDATE (saved_at, draft, name, description_fr, description_en, profile, redirect_uris, origins, launch_uri,
  id_token_signed_response_alg, changes_fr, changes_en, exchanges_data, links, economic_model, regions, themes,
  medical_device_class, medical_device_certificate, logo, criteria_version, submitted_by, submitted_at)
  ON catalogue.application TO gateway_app;

-- Bytes that no document and no logo leads to any more.
CREATE FUNCTION catalogue.sweep_contents(before timestamptz) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM catalogue.content c WHERE c.added_at < before
    AND NOT EXISTS (SELECT FROM catalogue.document d WHERE d.sha256 = c.sha256)
    AND NOT EXISTS (SELECT FROM catalogue.application v WHERE v.logo = c.sha256);
$$;
REVOKE ALL ON FUNCTION catalogue.application_stays(), catalogue.of_a_draft(), catalogue.of_a_draft_set(),
  catalogue.sweep_contents(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.sweep_contents(timestamptz) TO gateway_app;
