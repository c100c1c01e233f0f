-- Reading back over months and years: a row per series and day, made by a job, right whatever comes late.
--
-- Days up to, and without, rolled_until are read from reading_day unless reading_day_dirty names them; all others are
-- read from the readings. Who writes a reading older than four weeks names its day in reading_day_dirty, in the same
-- transaction; rolled_until follows a month behind. So a younger day needs no mark: it is not rolled up yet.
CREATE TABLE gateway.reading_day (
  series int4 NOT NULL,
  day date NOT NULL,                                  -- of the reading's own offset; of the space's zone where it is unknown
  readings int4 NOT NULL,
  total float8 NOT NULL, low float8 NOT NULL, high float8 NOT NULL,   -- of `value`: sum, least, greatest
  zoned boolean NOT NULL,                             -- some reading has no offset of its own
  PRIMARY KEY (series, day));
-- Appended to, never updated: writers do not wait for each other, and what a writer has not committed stays for later.
CREATE TABLE gateway.reading_day_dirty (series int4 NOT NULL, day date NOT NULL);
CREATE INDEX ON gateway.reading_day_dirty (series, day);
GRANT INSERT ON gateway.reading_day_dirty TO gateway_ingest;
-- One row. A pass over all series, in the order of their keys, brings rolled_until to target.
CREATE TABLE gateway.reading_day_state (
  alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
  rolled_until date NOT NULL DEFAULT '-infinity',
  target date, passed int4 NOT NULL DEFAULT 0);
INSERT INTO gateway.reading_day_state DEFAULT VALUES;

-- The day of a reading. Offsets are less than a day, so the day begins and ends within a day of the same one in UTC.
CREATE FUNCTION gateway.reading_day_of(p_time timestamptz, p_offset_min int2, p_zone text) RETURNS date
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN p_offset_min IS NULL THEN (p_time AT TIME ZONE p_zone)::date
    ELSE (p_time AT TIME ZONE 'UTC' + make_interval(mins => p_offset_min))::date END;

-- Name the days of old readings that were put by a function: in SQL what readings/days.py does for a writer.
CREATE FUNCTION gateway.reading_days_name(p_series int4[], p_time timestamptz[]) RETURNS void
  LANGUAGE sql SET search_path = gateway, pg_temp SET timezone = 'UTC' AS $$
  INSERT INTO reading_day_dirty SELECT DISTINCT r.series, r.time::date + near
  FROM unnest(p_series, p_time) AS r (series, time), generate_series(-1, 1) near
  WHERE r.time < now() - interval '28 days' $$;

-- Compute the days that were named, at most p_limit marks; returns how many marks were taken.
CREATE FUNCTION gateway.reading_days_mend(p_limit int) RETURNS int
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  keys int4[]; days date[]; until date;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('gateway.reading_day'));
  SELECT greatest(rolled_until, target) INTO until FROM reading_day_state;
  -- Taken first, computed by later statements: what these marks announced is committed, so it is seen.
  WITH taken AS (
    DELETE FROM reading_day_dirty WHERE ctid = ANY (ARRAY(SELECT ctid FROM reading_day_dirty LIMIT p_limit))
    RETURNING series, day)
  SELECT array_agg(series), array_agg(day) INTO keys, days FROM taken;
  DELETE FROM reading_day d USING (SELECT DISTINCT * FROM unnest(keys, days) AS k (series, day)) k
    WHERE d.series = k.series AND d.day = k.day;
  INSERT INTO reading_day
  SELECT k.series, k.day, n.readings, n.total, n.low, n.high, n.zoned
  FROM (SELECT DISTINCT * FROM unnest(keys, days) AS k (series, day)) k
    JOIN series s ON s.id = k.series JOIN space p ON p.id = s.space_id
    CROSS JOIN LATERAL (
      SELECT count(*) AS readings, sum(r.value) AS total, min(r.value) AS low, max(r.value) AS high,
        bool_or(r.offset_min IS NULL) AS zoned
      FROM reading r WHERE r.series = k.series AND r.time >= k.day::timestamptz - interval '1 day'
        AND r.time < k.day::timestamptz + interval '2 days' AND reading_day_of(r.time, r.offset_min, p.zone) = k.day) n
  WHERE k.day < until AND n.readings > 0;
  RETURN coalesce(cardinality(keys), 0);
END $$;

-- Bring rolled_until to p_until, p_limit series at a time; returns whether there is more to do.
CREATE FUNCTION gateway.reading_days_advance(p_until date, p_limit int) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  state reading_day_state; keys int4[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('gateway.reading_day'));
  SELECT * INTO state FROM reading_day_state;
  IF state.target IS NULL THEN
    IF p_until <= state.rolled_until THEN RETURN false; END IF;
    UPDATE reading_day_state SET target = p_until, passed = 0 RETURNING * INTO state;
  END IF;
  keys := ARRAY(SELECT id FROM series WHERE id > state.passed ORDER BY id LIMIT p_limit);
  DELETE FROM reading_day WHERE series = ANY (keys) AND day >= state.rolled_until;
  INSERT INTO reading_day
  SELECT k.series, n.day, n.readings, n.total, n.low, n.high, n.zoned
  FROM unnest(keys) AS k (series) JOIN series s ON s.id = k.series JOIN space p ON p.id = s.space_id
    CROSS JOIN LATERAL (
      SELECT reading_day_of(r.time, r.offset_min, p.zone) AS day, count(*) AS readings, sum(r.value) AS total,
        min(r.value) AS low, max(r.value) AS high, bool_or(r.offset_min IS NULL) AS zoned
      FROM reading r WHERE r.series = k.series AND r.time >= state.rolled_until::timestamptz - interval '1 day'
        AND r.time < state.target::timestamptz + interval '1 day' GROUP BY 1) n
  WHERE n.day >= state.rolled_until AND n.day < state.target;
  IF cardinality(keys) < p_limit THEN
    UPDATE reading_day_state SET rolled_until = target, target = NULL, passed = 0;
    RETURN p_until > state.target;
  END IF;
  UPDATE reading_day_state SET passed = keys[cardinality(keys)];
  RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION gateway.reading_days_mend, gateway.reading_days_advance TO gateway_app;

-- A patient who moves to another zone moves the days of the readings that have no offset of their own.
CREATE FUNCTION gateway.reading_days_of_zone() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
BEGIN
  INSERT INTO reading_day_dirty
  SELECT DISTINCT d.series, d.day + n FROM reading_day d JOIN series s ON s.id = d.series, generate_series(-1, 1) n
    WHERE s.space_id = NEW.id AND d.zoned;
  RETURN NULL;
END $$;
CREATE TRIGGER days_of_zone AFTER UPDATE OF zone ON gateway.space FOR EACH ROW WHEN (OLD.zone <> NEW.zone)
  EXECUTE FUNCTION gateway.reading_days_of_zone();

-- What follows reads the present space's series only, as the functions of 0005 do.

-- Day by day, of the readings from p_since up to and without p_until, all series of p_series together.
CREATE FUNCTION gateway.reading_days(p_series int4[], p_since timestamptz, p_until timestamptz)
  RETURNS TABLE (day date, readings int8, total float8, low float8, high float8)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  keys int4[]; zone text; first date; last date;  -- from first up to and without last: days that lie whole in the stretch
BEGIN
  keys := ARRAY(SELECT s.id FROM series s WHERE s.id = ANY (p_series) AND s.space_id = app_space());
  SELECT p.zone INTO zone FROM space p WHERE p.id = app_space();
  SELECT p_since::date + 2, least(p_until::date - 1, s.rolled_until) INTO first, last FROM reading_day_state s;
  IF last <= first THEN last := '-infinity'; first := last; END IF;  -- then all is read from the readings
  RETURN QUERY
  WITH dirty AS (
    SELECT DISTINCT d.series, d.day FROM reading_day_dirty d
    WHERE d.series = ANY (keys) AND d.day >= first AND d.day < last),
  windows AS (
    SELECT k.series, p_since AS low, least(p_until, first::timestamptz + interval '1 day') AS high,
      date '-infinity' AS first, first AS last FROM unnest(keys) AS k (series)
    UNION ALL
    SELECT k.series, greatest(p_since, last::timestamptz - interval '1 day'), p_until, last, date 'infinity'
      FROM unnest(keys) AS k (series)
    UNION ALL
    SELECT d.series, d.day::timestamptz - interval '1 day', d.day::timestamptz + interval '2 days', d.day, d.day + 1
      FROM dirty d),
  found AS (
    SELECT d.day, d.readings::int8, d.total, d.low, d.high FROM reading_day d
      WHERE d.series = ANY (keys) AND d.day >= first AND d.day < last
        AND NOT EXISTS (SELECT FROM dirty x WHERE x.series = d.series AND x.day = d.day)
    UNION ALL
    SELECT n.* FROM windows w CROSS JOIN LATERAL (
      SELECT reading_day_of(r.time, r.offset_min, zone) AS day, count(*), sum(r.value), min(r.value), max(r.value)
      FROM reading r WHERE r.series = w.series AND r.time >= w.low AND r.time < w.high
      GROUP BY 1) AS n (day, readings, total, low, high)
    WHERE n.day >= w.first AND n.day < w.last)
  SELECT f.day, sum(f.readings)::int8, sum(f.total), min(f.low), max(f.high) FROM found f GROUP BY f.day ORDER BY f.day;
END $$;

-- Stretches of p_step within a day, cut by the clock of the patient and named by their first instant: the hour that a
-- clock shows twice in autumn is two of them.
CREATE FUNCTION gateway.reading_buckets(p_series int4[], p_since timestamptz, p_until timestamptz, p_step interval)
  RETURNS TABLE (start timestamptz, readings int8, total float8, low float8, high float8)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT date_bin(p_step, r.time + n.shift, timestamptz '2000-01-01 00:00Z') - n.shift, count(*), sum(r.value),
    min(r.value), max(r.value)
  FROM series s JOIN space p ON p.id = s.space_id
    JOIN LATERAL (SELECT r.time, r.value, r.offset_min FROM reading r
      WHERE r.series = s.id AND r.time >= p_since AND r.time < p_until) r ON true
    CROSS JOIN LATERAL (SELECT CASE WHEN r.offset_min IS NULL THEN (r.time AT TIME ZONE p.zone) - (r.time AT TIME ZONE 'UTC')
      ELSE make_interval(mins => r.offset_min) END AS shift) n
  WHERE s.id = ANY (p_series) AND s.space_id = app_space()
  GROUP BY 1 ORDER BY 1 $$;

-- Silences longer than p_longest between p_since and p_until, oldest first; none where there is no reading at all.
CREATE FUNCTION gateway.reading_gaps(p_series int4[], p_since timestamptz, p_until timestamptz, p_longest interval)
  RETURNS TABLE (since timestamptz, until timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  WITH known AS (
    SELECT r.time FROM series s JOIN LATERAL (SELECT r.time FROM reading r
      WHERE r.series = s.id AND r.time >= p_since AND r.time < p_until) r ON true
    WHERE s.id = ANY (p_series) AND s.space_id = app_space())
  SELECT g.since, g.until FROM (
    SELECT lag(k.time, 1, p_since) OVER (ORDER BY k.time) AS since, k.time AS until FROM known k
    UNION ALL SELECT max(k.time), p_until FROM known k) g
  WHERE g.until - g.since > p_longest ORDER BY g.since $$;

-- The modal day: percentiles (5, 25, 50, 75, 95, by linear interpolation) by time of day, in minutes from midnight.
CREATE FUNCTION gateway.reading_profile(p_series int4[], p_since timestamptz, p_until timestamptz, p_minutes int)
  RETURNS TABLE (minute int, readings int8, percentiles float8[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT n.minute / p_minutes * p_minutes, count(*),
    percentile_cont(ARRAY[0.05, 0.25, 0.5, 0.75, 0.95]) WITHIN GROUP (ORDER BY r.value)
  FROM series s JOIN space p ON p.id = s.space_id
    JOIN LATERAL (SELECT r.time, r.value, r.offset_min FROM reading r
      WHERE r.series = s.id AND r.time >= p_since AND r.time < p_until) r ON true
    CROSS JOIN LATERAL (SELECT floor(extract(epoch FROM CASE WHEN r.offset_min IS NULL THEN (r.time AT TIME ZONE p.zone)::time
      ELSE (r.time AT TIME ZONE 'UTC' + make_interval(mins => r.offset_min))::time END) / 60)::int AS minute) n
  WHERE s.id = ANY (p_series) AND s.space_id = app_space()
  GROUP BY 1 ORDER BY 1 $$;
GRANT EXECUTE ON FUNCTION gateway.reading_days, gateway.reading_buckets, gateway.reading_gaps, gateway.reading_profile
  TO gateway_app;
