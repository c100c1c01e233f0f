-- Histories from files. A source is what measured, as a file names it: it stands in a series where no device is.
CREATE TABLE gateway.reading_source (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  space_id uuid NOT NULL REFERENCES gateway.space,
  format text NOT NULL,                         -- key of the file format
  device text NOT NULL,                         -- serial number, transmitter id, uploader; empty: the file does not say
  name text NOT NULL,                           -- product and format; told to apps, so no serial number is in it
  zone text,                                    -- IANA name in which its wall clock is read, once it was; then it stays
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (space_id, format, device));
ALTER TABLE gateway.reading_source ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.reading_source FOR SELECT USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.reading_source TO gateway_ingest USING (true);
GRANT SELECT ON gateway.reading_source TO gateway_app;
GRANT SELECT, INSERT, UPDATE (zone) ON gateway.reading_source TO gateway_ingest;

-- One file on its way in. An upload is looked at first (checking ▸ checked, or refused), and imported when its patient
-- says so (importing ▸ done). An import of the command line begins as importing, and has no pieces: the file is there.
CREATE TABLE gateway.file_import (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  space_id uuid NOT NULL REFERENCES gateway.space,
  actor_kind text NOT NULL, actor_id text, actor_name text,
  file_name text NOT NULL,
  format text,                                  -- key; NULL: to be recognised
  zone text,                                    -- for wall-clock times; NULL: as its sources have it, or the space
  state text NOT NULL CHECK (state IN ('checking', 'checked', 'refused', 'importing', 'done')),
  records int,                                  -- in the file, once counted
  position int NOT NULL DEFAULT 0,              -- records committed: where a worker goes on after another was killed
  preview jsonb,                                -- report of the look before
  report jsonb,                                 -- of the import as far as it is committed
  problem text,                                 -- class of the error that refused the file
  problem_detail text,
  created_at timestamptz NOT NULL DEFAULT now(),
  changed_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON gateway.file_import (space_id, created_at);
CREATE INDEX ON gateway.file_import (changed_at) WHERE state IN ('checking', 'importing');
CREATE TABLE gateway.file_import_piece (
  import_id uuid NOT NULL REFERENCES gateway.file_import ON DELETE CASCADE,
  space_id uuid NOT NULL REFERENCES gateway.space,
  n int NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (import_id, n));
CREATE TABLE gateway.file_import_rejected (
  import_id uuid NOT NULL REFERENCES gateway.file_import ON DELETE CASCADE,
  space_id uuid NOT NULL REFERENCES gateway.space,
  n int NOT NULL,                               -- line of a table, place of an object in a JSON file
  pointer text NOT NULL, reason text NOT NULL,
  record text NOT NULL,                         -- as it stood in the file: it can be mended and taken in again
  PRIMARY KEY (import_id, n));
ALTER TABLE gateway.file_import ENABLE ROW LEVEL SECURITY;
ALTER TABLE gateway.file_import_piece ENABLE ROW LEVEL SECURITY;
ALTER TABLE gateway.file_import_rejected ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.file_import USING (space_id = gateway.app_space());
CREATE POLICY own ON gateway.file_import_piece USING (space_id = gateway.app_space());
CREATE POLICY own ON gateway.file_import_rejected FOR SELECT USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.file_import TO gateway_ingest USING (true);
CREATE POLICY ingest ON gateway.file_import_piece TO gateway_ingest USING (true);
CREATE POLICY ingest ON gateway.file_import_rejected TO gateway_ingest USING (true);
GRANT SELECT, INSERT, DELETE, UPDATE (state, changed_at) ON gateway.file_import TO gateway_app;
GRANT SELECT, INSERT ON gateway.file_import_piece TO gateway_app;
GRANT SELECT ON gateway.file_import_rejected TO gateway_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.file_import TO gateway_ingest;
GRANT SELECT, DELETE ON gateway.file_import_piece TO gateway_ingest;
GRANT SELECT, INSERT, DELETE ON gateway.file_import_rejected TO gateway_ingest;

-- Whoever takes uploads in listens on gateway_import.
CREATE FUNCTION gateway.file_import_wake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY gateway_import; RETURN NULL; END $$;
CREATE TRIGGER wake AFTER INSERT OR UPDATE OF state ON gateway.file_import
  FOR EACH STATEMENT EXECUTE FUNCTION gateway.file_import_wake();
