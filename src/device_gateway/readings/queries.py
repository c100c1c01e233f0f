"""The SQL of reading back. Each statement runs inside `space_scope` and sees the readings of that space only."""

# What this space's sources measure. Row-level security leaves the other spaces' series out.
SERIES = """SELECT r.id, r.uuid, r.metric, r.device_id, r.source_id, s.name AS source_name
  FROM gateway.series r LEFT JOIN gateway.reading_source s ON s.id = r.source_id ORDER BY r.id"""

# The zone in which the patient's days are counted.
ZONE = "SELECT zone FROM gateway.space"

# `amended` is looked up only for the few rows that were corrected. Status 0 is final.
COLUMNS = """r.series, r.time, r.seq, r.value, r.value2, r.value3, r.decimals, r.offset_min, r.flags, r.version,
  r.context,
  CASE WHEN r.version = 1 THEN false ELSE EXISTS (
    SELECT FROM gateway.reading_version_scoped v
    WHERE v.series = r.series AND v.time = r.time AND v.seq = r.seq AND (v.flags >> 8) & 7 = 0) END AS amended"""

# A page, newest first: (series, low, high, high seq) per window, limit, limit. See 0005_reading_back.sql.
NEWEST = f"""SELECT {COLUMNS}
FROM gateway.reading_newest(%s::int4[], %s::timestamptz[], %s::timestamptz[], %s::int8[], %s) r
ORDER BY r.time DESC, r.series DESC, r.seq DESC LIMIT %s"""

# A page, oldest first: (series, low, low seq, high) per window, limit, limit.
OLDEST = f"""SELECT {COLUMNS}
FROM gateway.reading_oldest(%s::int4[], %s::timestamptz[], %s::int8[], %s::timestamptz[], %s) r
ORDER BY r.time, r.series, r.seq LIMIT %s"""

# How many readings the windows hold: (series, low, high) per window. LATERAL, for a plain join through the barrier of
# the view would read the whole history.
COUNT = """SELECT coalesce(sum(n.readings), 0) AS readings
FROM unnest(%s::int4[], %s::timestamptz[], %s::timestamptz[]) AS w (series, low, high)
CROSS JOIN LATERAL (SELECT count(*) AS readings FROM gateway.reading_scoped r
  WHERE r.series = w.series AND r.time >= w.low AND r.time < w.high) n"""

# Mean, lowest, highest and count per day, week or month of the patient. See 0013_days.sql. Unit, series, low, high.
DAYS = """SELECT date_trunc(%s, day::timestamp)::date AS day, sum(total) / sum(readings) AS mean, min(low) AS low,
  max(high) AS high, sum(readings)::int8 AS readings
FROM gateway.reading_days(%s::int4[], %s, %s) GROUP BY 1 ORDER BY 1"""

# The same for stretches within a day: series, low, high, step.
BUCKETS = """SELECT start, total / readings AS mean, low, high, readings
FROM gateway.reading_buckets(%s::int4[], %s, %s, %s)"""

# Series, low, high, the longest silence that is none.
GAPS = "SELECT since, until FROM gateway.reading_gaps(%s::int4[], %s, %s, %s)"

# Series, low, high, minutes.
PROFILE = "SELECT minute, readings, percentiles FROM gateway.reading_profile(%s::int4[], %s, %s, %s)"
