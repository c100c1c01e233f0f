-- Keys by which programs of vendors and of reviewers ask `/api/catalogue`. Each acts as the person who made it.

CREATE TABLE catalogue.access_key (
  id uuid PRIMARY KEY,
  hash bytea NOT NULL UNIQUE,                   -- SHA-256 of the key, which is shown once
  person uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('vendor', 'reviewer')),
  person_name text NOT NULL,
  vendor_id uuid REFERENCES catalogue.vendor,   -- the one organisation that it acts for
  name text NOT NULL,
  writes boolean NOT NULL,                      -- false: it reads
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,                     -- to the hour: a request does not write
  ended_at timestamptz,
  ended_by_name text,                           -- NULL where it ended with something else
  end_reason text,
  CHECK ((kind = 'vendor') = (vendor_id IS NOT NULL)),
  CHECK (kind = 'vendor' OR NOT writes)         -- decisions of reviewers are made by persons
);
CREATE INDEX ON catalogue.access_key (vendor_id, created_at);
CREATE INDEX ON catalogue.access_key (person);
GRANT SELECT, INSERT ON catalogue.access_key TO gateway_app;
GRANT UPDATE (last_used_at, ended_at, ended_by_name, end_reason) ON catalogue.access_key TO gateway_app;
