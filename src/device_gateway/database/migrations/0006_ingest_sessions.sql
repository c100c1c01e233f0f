-- Which of the K sessions that share the load exist at the broker. The embedded broker lets devices in once all do: a
-- message that no session waits for would be acknowledged and gone.
CREATE TABLE gateway.ingest_session (
  slots int NOT NULL, slot int NOT NULL CHECK (slot BETWEEN 0 AND slots - 1),
  established_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (slots, slot));
GRANT SELECT, INSERT ON gateway.ingest_session TO gateway_ingest;
