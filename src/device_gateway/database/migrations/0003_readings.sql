-- Readings: series, the one big table, history of corrections, the inbox, quarantine.
CREATE TABLE gateway.series (
  id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,   -- short key inside the store; never leaves it
  uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  space_id uuid NOT NULL REFERENCES gateway.space,
  metric text NOT NULL,
  device_id uuid REFERENCES gateway.device,
  source_id uuid,                                     -- app or person, where no device is
  CHECK (num_nonnulls(device_id, source_id) = 1),
  UNIQUE NULLS NOT DISTINCT (space_id, metric, device_id, source_id));
ALTER TABLE gateway.series ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.series FOR SELECT USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.series TO gateway_ingest USING (true);
GRANT SELECT ON gateway.series TO gateway_app;
GRANT SELECT, INSERT ON gateway.series TO gateway_ingest;

-- Identity = (series, time, seq). Content = values, decimals, flags, context. Compression (segment by series, order by
-- time, seq) and row-level security exclude each other, so no application role has any right to read this table: they
-- read the view below.
DO $$ BEGIN
  CREATE TABLE gateway.reading (
    time timestamptz NOT NULL,
    value float8 NOT NULL,                              -- canonical unit of the metric; systolic for blood pressure
    seq int8 NOT NULL DEFAULT 0,
    series int4 NOT NULL,
    decimals int2 NOT NULL,                             -- digits after the point as sent, 4 bits per component
    offset_min int2,                                    -- UTC offset of the patient then; NULL: unknown
    flags int2 NOT NULL,                                -- bits 0-7 number of the sent unit, bits 8-10 status
    version int2 NOT NULL DEFAULT 1,
    value2 float8, value3 float8,                       -- further components
    context jsonb) PARTITION BY RANGE (time);
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    DROP TABLE gateway.reading;
    CREATE TABLE gateway.reading (
      time timestamptz NOT NULL, value float8 NOT NULL, seq int8 NOT NULL DEFAULT 0, series int4 NOT NULL, decimals int2 NOT NULL,
      offset_min int2, flags int2 NOT NULL, version int2 NOT NULL DEFAULT 1, value2 float8, value3 float8, context jsonb);
    PERFORM create_hypertable('gateway.reading', by_range('time', interval '7 days'), create_default_indexes => false);
  END IF;
END $$;
CREATE UNIQUE INDEX reading_identity ON gateway.reading (series, time, seq) INCLUDE (value, decimals, offset_min, flags, version);
GRANT INSERT ON gateway.reading TO gateway_ingest;

CREATE TABLE gateway.reading_version (
  series int4 NOT NULL, time timestamptz NOT NULL, seq int8 NOT NULL, version int2 NOT NULL,
  value float8 NOT NULL, value2 float8, value3 float8, decimals int2 NOT NULL, offset_min int2, flags int2 NOT NULL, context jsonb,
  replaced_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (series, time, seq, version));

-- Content equal to any past version changes nothing: a late redelivery does not undo a correction. This is asked here, and
-- not in the statement that updates: a trigger sees what was committed while the statement waited for the row.
CREATE FUNCTION gateway.reading_keep_version() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM reading_version v WHERE v.series = NEW.series AND v.time = NEW.time AND v.seq = NEW.seq
      AND (v.value, v.value2, v.value3, v.decimals, v.flags, v.context)
        IS NOT DISTINCT FROM (NEW.value, NEW.value2, NEW.value3, NEW.decimals, NEW.flags, NEW.context)) THEN
    RETURN NULL;
  END IF;
  INSERT INTO reading_version (series, time, seq, version, value, value2, value3, decimals, offset_min, flags, context)
    VALUES (OLD.series, OLD.time, OLD.seq, OLD.version, OLD.value, OLD.value2, OLD.value3, OLD.decimals, OLD.offset_min, OLD.flags, OLD.context);
  RETURN NEW;
END $$;
CREATE TRIGGER keep_version BEFORE UPDATE ON gateway.reading FOR EACH ROW EXECUTE FUNCTION gateway.reading_keep_version();

-- Native partitions are months of UTC; this makes the ones that the given times need, and does nothing on a hypertable.
-- A month is made apart and then attached: that locks out neither readers nor writers of the others, CREATE … PARTITION OF would.
CREATE FUNCTION gateway.ensure_partition(p_times timestamptz[]) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  month timestamptz;
  name text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = 'gateway.reading'::regclass) THEN RETURN; END IF;
  FOR month IN SELECT DISTINCT date_trunc('month', t) FROM unnest(p_times) t ORDER BY 1 LOOP
    name := to_char(month, '"reading_"YYYYMM');
    CONTINUE WHEN to_regclass('gateway.' || name) IS NOT NULL;
    PERFORM pg_advisory_xact_lock(hashtext('gateway.reading'));  -- one for all months: two that each need two wait in turn
    CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE relnamespace = 'gateway'::regnamespace AND relname = name);
    EXECUTE format('CREATE TABLE gateway.%I (LIKE gateway.reading INCLUDING DEFAULTS)', name);
    EXECUTE format('ALTER TABLE gateway.reading ATTACH PARTITION gateway.%I FOR VALUES FROM (%L) TO (%L)',
      name, month, month + interval '1 month');
  END LOOP;
END $$;

-- Tells stored, duplicate and corrected apart in one statement. Identities are unique within a call and come sorted.
-- Returns a row with version 1 for stored, a higher version for corrected, none for a duplicate; content equal to any
-- past version is a duplicate too: the trigger keep_version sees to it.
CREATE FUNCTION gateway.reading_put(p_series int4[], p_time timestamptz[], p_seq int8[], p_value float8[], p_value2 float8[],
    p_value3 float8[], p_decimals int2[], p_offset_min int2[], p_flags int2[], p_context text[])
  RETURNS TABLE (series int4, "time" timestamptz, seq int8, version int2)
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  INSERT INTO reading AS r (series, time, seq, value, value2, value3, decimals, offset_min, flags, context)
  SELECT series, time, seq, value, value2, value3, decimals, offset_min, flags, context::jsonb
    FROM unnest(p_series, p_time, p_seq, p_value, p_value2, p_value3, p_decimals, p_offset_min, p_flags, p_context)
      AS x (series, time, seq, value, value2, value3, decimals, offset_min, flags, context)
  ON CONFLICT (series, time, seq) DO UPDATE SET value = excluded.value, value2 = excluded.value2, value3 = excluded.value3,
      decimals = excluded.decimals, offset_min = excluded.offset_min, flags = excluded.flags, context = excluded.context,
      version = r.version + 1
    WHERE (r.value, r.value2, r.value3, r.decimals, r.flags, r.context)
        IS DISTINCT FROM (excluded.value, excluded.value2, excluded.value3, excluded.decimals, excluded.flags, excluded.context)
  RETURNING r.series, r.time, r.seq, r.version $$;
GRANT EXECUTE ON FUNCTION gateway.ensure_partition, gateway.reading_put TO gateway_ingest;

-- The only way for applications to read: the readings of the space that the transaction is about.
CREATE VIEW gateway.reading_scoped WITH (security_barrier) AS
  SELECT r.* FROM gateway.reading r
  WHERE r.series = ANY (ARRAY(SELECT s.id FROM gateway.series s WHERE s.space_id = gateway.app_space()));
CREATE VIEW gateway.reading_version_scoped WITH (security_barrier) AS
  SELECT v.* FROM gateway.reading_version v
  WHERE v.series = ANY (ARRAY(SELECT s.id FROM gateway.series s WHERE s.space_id = gateway.app_space()));
GRANT SELECT ON gateway.reading_scoped, gateway.reading_version_scoped TO gateway_app;

-- Readings that nobody held the device for: "is this you?". Kept under the device, in no space. Other content under the
-- same identity is a further version; all are kept, in the order in which they came.
CREATE TABLE gateway.reading_inbox (
  device_id uuid NOT NULL REFERENCES gateway.device,
  metric text NOT NULL, time timestamptz NOT NULL, seq int8 NOT NULL, version int2 NOT NULL,
  value float8 NOT NULL, value2 float8, value3 float8, decimals int2 NOT NULL, offset_min int2, flags int2 NOT NULL, context jsonb,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (device_id, metric, time, seq, version));
GRANT SELECT, INSERT, DELETE ON gateway.reading_inbox TO gateway_ingest;
-- How many wait for the holder of a device; no value, no exact time: they may be somebody else's.
CREATE FUNCTION gateway.inbox_count(p_device uuid) RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT count(*) FROM reading_inbox i WHERE i.device_id = p_device AND i.version = 1
          AND EXISTS (SELECT FROM device_holding h WHERE h.device_id = p_device AND h.space_id = app_space() AND upper_inf(h.during)) $$;
GRANT EXECUTE ON FUNCTION gateway.inbox_count TO gateway_app;

-- Raw payloads that could not be understood, or held readings that were rejected; replayable once an adapter is mended.
CREATE TABLE gateway.quarantine (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL, sender text NOT NULL, dialect text NOT NULL,
  payload bytea NOT NULL,
  digest bytea NOT NULL UNIQUE,                       -- SHA-256 of topic and payload: an index has no room for a long topic
  pointer text NOT NULL, reason text NOT NULL,
  seen int NOT NULL DEFAULT 1,
  first_at timestamptz NOT NULL DEFAULT now(), last_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  replayed_at timestamptz, replay_result text);
CREATE INDEX ON gateway.quarantine (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.quarantine TO gateway_ingest;
