-- A meter whose battery was changed may begin anew with both its clock and its numbers. Where each record was placed is
-- kept, so that a full re-transfer afterwards still places the old ones where they are.
ALTER TABLE gateway.device_clock ADD COLUMN was_reset boolean NOT NULL DEFAULT false;
CREATE TABLE gateway.device_clock_frozen (
  device_id uuid NOT NULL REFERENCES gateway.device,
  seq bigint NOT NULL, raw timestamp NOT NULL,  -- the record, as the device names it
  shift_s int NOT NULL, utc_offset_min int2 NOT NULL,
  PRIMARY KEY (device_id, seq, raw));
GRANT SELECT, INSERT ON gateway.device_clock_frozen TO gateway_ingest;
