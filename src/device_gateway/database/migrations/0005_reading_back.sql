-- Pages of a long history. The view reading_scoped is a security barrier, and PostgreSQL does not carry ORDER BY … LIMIT
-- through a barrier: every page would read the whole history. These functions check each series against the space by
-- themselves and walk the index reading_identity from where the last page ended.
--
-- One window per series and stretch of time. Window i is the readings of p_series[i] from p_low[i] up to, and without,
-- (p_high[i], p_high_seq[i]). At most p_limit of each window are returned: the caller merges them.
CREATE FUNCTION gateway.reading_newest(p_series int4[], p_low timestamptz[], p_high timestamptz[], p_high_seq int8[], p_limit int)
  RETURNS SETOF gateway.reading
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE w record;
BEGIN
  FOR w IN SELECT x.* FROM unnest(p_series, p_low, p_high, p_high_seq) AS x (series, low, high, high_seq)
           JOIN series s ON s.id = x.series AND s.space_id = app_space() LOOP
    RETURN QUERY SELECT r.* FROM reading r
      WHERE r.series = w.series AND r.time >= w.low AND r.time <= w.high AND (r.time, r.seq) < (w.high, w.high_seq)
      ORDER BY r.time DESC, r.seq DESC LIMIT p_limit;
  END LOOP;
END $$;

-- The same from the other end: from (p_low[i], p_low_seq[i]), and without it, up to and without p_high[i].
CREATE FUNCTION gateway.reading_oldest(p_series int4[], p_low timestamptz[], p_low_seq int8[], p_high timestamptz[], p_limit int)
  RETURNS SETOF gateway.reading
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE w record;
BEGIN
  FOR w IN SELECT x.* FROM unnest(p_series, p_low, p_low_seq, p_high) AS x (series, low, low_seq, high)
           JOIN series s ON s.id = x.series AND s.space_id = app_space() LOOP
    RETURN QUERY SELECT r.* FROM reading r
      WHERE r.series = w.series AND r.time >= w.low AND r.time < w.high AND (r.time, r.seq) > (w.low, w.low_seq)
      ORDER BY r.time, r.seq LIMIT p_limit;
  END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION gateway.reading_newest, gateway.reading_oldest TO gateway_app;
