-- Whose reading is it, on a device that several people use; and the answers to "is this you?".

-- A device that ever named one of its users tells people apart: what it measures is nobody's by holding it alone.
ALTER TABLE gateway.device ADD COLUMN shared boolean NOT NULL DEFAULT false;
GRANT SELECT (shared) ON gateway.device TO gateway_app;
GRANT UPDATE (shared) ON gateway.device TO gateway_ingest;
CREATE POLICY ingest_shared ON gateway.device FOR UPDATE TO gateway_ingest USING (true);

-- "User 2 of this scale is me." Within the holding of whoever holds the device; it ends with it.
CREATE TABLE gateway.device_user (
  device_id uuid NOT NULL REFERENCES gateway.device,
  user_index int2 NOT NULL CHECK (user_index BETWEEN 0 AND 254),
  space_id uuid NOT NULL REFERENCES gateway.space,
  during tstzrange NOT NULL CHECK (NOT isempty(during)),
  name text,                                    -- what this person calls the device; NULL: the holder, whose holding has it
  called text,                                  -- what the holder calls this person
  CONSTRAINT one_person EXCLUDE USING gist (device_id WITH =, user_index WITH =, during WITH &&));
CREATE INDEX ON gateway.device_user (space_id);
ALTER TABLE gateway.device_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.device_user FOR SELECT USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.device_user FOR SELECT TO gateway_ingest USING (true);
GRANT SELECT ON gateway.device_user TO gateway_app, gateway_ingest;
CREATE POLICY used ON gateway.device FOR SELECT USING (
  EXISTS (SELECT FROM gateway.device_user u WHERE u.device_id = id AND u.space_id = gateway.app_space()));

CREATE FUNCTION gateway.device_users_end() RETURNS trigger LANGUAGE plpgsql SET search_path = gateway, pg_temp AS $$
DECLARE held tstzrange := tstzrange(NULL, upper(NEW.during));
BEGIN
  DELETE FROM device_user u WHERE u.device_id = NEW.device_id AND upper_inf(u.during) AND isempty(u.during * held);
  WITH ended AS (
    UPDATE device_user u SET during = u.during * held WHERE u.device_id = NEW.device_id AND upper_inf(u.during) RETURNING u.*)
  INSERT INTO job (kind, payload)  -- the other persons are told
    SELECT 'device_user:left', jsonb_build_object('space', e.space_id, 'device', e.device_id, 'user', e.user_index)
    FROM ended e WHERE e.space_id <> NEW.space_id;
  RETURN NULL;
END $$;
CREATE TRIGGER users_end AFTER UPDATE OF during ON gateway.device_holding FOR EACH ROW
  WHEN (upper_inf(OLD.during) AND NOT upper_inf(NEW.during)) EXECUTE FUNCTION gateway.device_users_end();

-- The holder's consent that another person is one of the device's users: typed by that person in their own portal.
CREATE TABLE gateway.device_user_code (
  hash bytea PRIMARY KEY,                       -- as claim_code
  space_id uuid NOT NULL REFERENCES gateway.space,  -- of the holder
  device_id uuid NOT NULL REFERENCES gateway.device,
  user_index int2 NOT NULL CHECK (user_index BETWEEN 0 AND 254),
  called text NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz);
ALTER TABLE gateway.device_user_code ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.device_user_code USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.device_user_code TO gateway_ingest USING (true);
GRANT SELECT, INSERT ON gateway.device_user_code TO gateway_app;
GRANT SELECT (expires_at), DELETE ON gateway.device_user_code TO gateway_ingest;

-- Answers that no holding and no user says: of single readings, and of those that are not mine. Without a value. A device
-- that sends its whole memory again is not asked about twice.
CREATE TABLE gateway.reading_answer (
  device_id uuid NOT NULL REFERENCES gateway.device,
  metric text NOT NULL, time timestamptz NOT NULL, seq int8 NOT NULL,
  space_id uuid NOT NULL REFERENCES gateway.space,  -- who answered
  mine boolean NOT NULL,
  answered_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (device_id, metric, time, seq));
CREATE INDEX ON gateway.reading_answer (answered_at) WHERE NOT mine;
ALTER TABLE gateway.reading_answer ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.reading_answer FOR SELECT USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.reading_answer TO gateway_ingest USING (true);
GRANT SELECT ON gateway.reading_answer TO gateway_app;
GRANT SELECT, DELETE ON gateway.reading_answer TO gateway_ingest;
CREATE INDEX ON gateway.reading_inbox (received_at);

-- The user that a reading's context names: NULL where it names none, 255 where the device does not know who it was.
CREATE FUNCTION gateway.reading_user(p_context jsonb) RETURNS int2 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN p_context IS NULL THEN NULL
    WHEN p_context->'user-unknown' = 'true' THEN 255::int2
    WHEN NOT p_context ? 'user-index' THEN NULL
    WHEN p_context->>'user-index' ~ '^[0-9]{1,3}$' AND jsonb_typeof(p_context->'user-index') = 'number'
      THEN least((p_context->>'user-index')::int, 255)::int2
    ELSE 255::int2 END $$;

-- Whose a reading is by what is written down: the user's, or the holder's of a device that knows no users. NULL: nobody's.
CREATE FUNCTION gateway.reading_owner(p_device uuid, p_time timestamptz, p_user int2) RETURNS uuid
  LANGUAGE sql STABLE SET search_path = gateway, pg_temp AS $$
  SELECT u.space_id FROM device_user u WHERE u.device_id = p_device AND u.user_index = p_user AND u.during @> p_time
  UNION ALL
  SELECT h.space_id FROM device_holding h JOIN device d ON d.id = h.device_id
    WHERE p_user IS NULL AND NOT d.shared AND h.device_id = p_device AND h.during @> p_time $$;
GRANT EXECUTE ON FUNCTION gateway.reading_user, gateway.reading_owner TO gateway_ingest;

-- One question and its answer at a time, per device, while ingestion puts nothing more into its inbox. Keys of their own:
-- the transactions that only put something in share the lock.
CREATE FUNCTION gateway.inbox_lock(p_device uuid) RETURNS void LANGUAGE sql SET search_path = gateway, pg_temp
  AS $$ SELECT pg_advisory_xact_lock(hashtext('gateway.reading_inbox'), hashtext(p_device::text)) $$;

-- Which stretches of time the present space is asked about: when it held the device, and, of a device that it holds
-- now, from the end of the holding before. What came before somebody else's holding is asked of nobody.
CREATE FUNCTION gateway.inbox_windows() RETURNS TABLE (device_id uuid, held tstzrange, before tstzrange)
  LANGUAGE sql STABLE SET search_path = gateway, pg_temp AS $$
  WITH mine AS (SELECT h.device_id, bool_or(upper_inf(h.during)) AS now FROM device_holding h
                WHERE h.space_id = app_space() GROUP BY h.device_id),
       every AS (SELECT h.device_id, h.space_id, h.during, m.now,
                   lag(upper(h.during)) OVER (PARTITION BY h.device_id ORDER BY lower(h.during) NULLS FIRST) AS ended
                 FROM device_holding h JOIN mine m USING (device_id))
  SELECT e.device_id, e.during, CASE WHEN e.now AND NOT lower_inf(e.during) THEN tstzrange(e.ended, lower(e.during))
                                ELSE 'empty' END
  FROM every e WHERE e.space_id = app_space() $$;

-- The readings that the present space is asked about, each once, by its latest version. `part`: own, of a time when it
-- held the device; before; other, of a user who was another person last.
CREATE FUNCTION gateway.inbox_asked(p_device uuid)
  RETURNS TABLE (device_id uuid, part text, user_index int2, metric text, "time" timestamptz, seq int8)
  LANGUAGE sql STABLE SET search_path = gateway, pg_temp AS $$
  SELECT w.device_id,
    CASE WHEN i.time <@ w.before THEN 'before'
         WHEN i.user_index IS NOT NULL AND (SELECT u.space_id <> app_space() FROM device_user u
               WHERE u.device_id = w.device_id AND u.user_index = i.user_index AND u.during && w.held
                 AND coalesce(lower(u.during), '-infinity') <= i.time
               ORDER BY lower(u.during) DESC NULLS LAST LIMIT 1) THEN 'other'
         ELSE 'own' END,
    i.user_index, i.metric, i.time, i.seq
  FROM inbox_windows() w CROSS JOIN LATERAL (
    SELECT DISTINCT ON (r.metric, r.time, r.seq) r.metric, r.time, r.seq, reading_user(r.context) AS user_index
    FROM reading_inbox r WHERE r.device_id = w.device_id AND (r.time <@ w.held OR r.time <@ w.before)
    ORDER BY r.metric, r.time, r.seq, r.version DESC) i
  WHERE p_device IS NULL OR w.device_id = p_device $$;

-- The questions: how many readings, taken at how many moments, from when to when. No value.
CREATE FUNCTION gateway.inbox_groups()
  RETURNS TABLE (device_id uuid, part text, user_index int2, readings bigint, moments bigint, since timestamptz, until timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT a.device_id, a.part, a.user_index, count(*), count(DISTINCT (a.time, a.seq)), min(a.time), max(a.time)
  FROM inbox_asked(NULL) a GROUP BY a.device_id, a.part, a.user_index $$;

CREATE OR REPLACE FUNCTION gateway.inbox_count(p_device uuid) RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT count(*) FROM inbox_windows() w CROSS JOIN LATERAL (
    SELECT DISTINCT r.metric, r.time, r.seq FROM reading_inbox r
    WHERE r.device_id = p_device AND (r.time <@ w.held OR r.time <@ w.before)) i
  WHERE w.device_id = p_device $$;

-- The newest p_moments moments of one question, with their values: only of a time when the space held the device, and
-- never of a user who was another person.
CREATE FUNCTION gateway.inbox_readings(p_device uuid, p_user int2, p_moments int)
  RETURNS TABLE (metric text, "time" timestamptz, seq int8, value float8, value2 float8, value3 float8, decimals int2,
    offset_min int2, flags int2)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  WITH asked AS MATERIALIZED (SELECT a.metric, a.time, a.seq FROM inbox_asked(p_device) a
                              WHERE a.part = 'own' AND a.user_index IS NOT DISTINCT FROM p_user),
       shown AS (SELECT DISTINCT a.time, a.seq FROM asked a ORDER BY a.time DESC, a.seq DESC LIMIT p_moments)
  SELECT DISTINCT ON (i.time, i.seq, i.metric) i.metric, i.time, i.seq, i.value, i.value2, i.value3, i.decimals,
    i.offset_min, i.flags
  FROM asked a JOIN shown USING (time, seq)
    JOIN reading_inbox i ON i.device_id = p_device AND (i.metric, i.time, i.seq) = (a.metric, a.time, a.seq)
  ORDER BY i.time DESC, i.seq DESC, i.metric, i.version DESC $$;

-- From the inbox into a space by the one way in, every version in the order in which they came. Who calls it has
-- established that the readings are that space's.
CREATE FUNCTION gateway.inbox_put(p_device uuid, p_space uuid, p_metric text[], p_time timestamptz[], p_seq int8[])
  RETURNS TABLE (stored int, duplicate int, corrected int)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE
  row_series int4[]; row_time timestamptz[]; row_seq int8[]; row_value float8[]; row_value2 float8[]; row_value3 float8[];
  row_decimals int2[]; row_offset int2[]; row_flags int2[]; row_context text[];
  fresh int; newer int;
BEGIN
  stored := 0; duplicate := 0; corrected := 0;
  INSERT INTO series (space_id, metric, device_id) SELECT DISTINCT p_space, m, p_device FROM unnest(p_metric) m ORDER BY m
    ON CONFLICT (space_id, metric, device_id, source_id) DO NOTHING;
  PERFORM ensure_partition(p_time);
  LOOP
    WITH lowest AS (
      SELECT i.metric, i.time, i.seq, min(i.version) AS version FROM reading_inbox i
      JOIN unnest(p_metric, p_time, p_seq) AS k (metric, time, seq) USING (metric, time, seq)
      WHERE i.device_id = p_device GROUP BY i.metric, i.time, i.seq),
    taken AS (
      DELETE FROM reading_inbox i USING lowest l WHERE i.device_id = p_device
        AND (i.metric, i.time, i.seq, i.version) = (l.metric, l.time, l.seq, l.version) RETURNING i.*),
    ready AS (
      SELECT s.id, t.* FROM taken t JOIN series s ON s.space_id = p_space AND s.metric = t.metric AND s.device_id = p_device
      ORDER BY s.id, t.time, t.seq)
    SELECT array_agg(r.id), array_agg(r.time), array_agg(r.seq), array_agg(r.value), array_agg(r.value2), array_agg(r.value3),
        array_agg(r.decimals), array_agg(r.offset_min), array_agg(r.flags), array_agg(r.context::text)
      INTO row_series, row_time, row_seq, row_value, row_value2, row_value3, row_decimals, row_offset, row_flags, row_context
      FROM ready r;
    EXIT WHEN row_series IS NULL;
    SELECT count(*) FILTER (WHERE p.version = 1), count(*) FILTER (WHERE p.version > 1) INTO fresh, newer
      FROM reading_put(row_series, row_time, row_seq, row_value, row_value2, row_value3, row_decimals, row_offset, row_flags,
        row_context) p;
    PERFORM reading_days_name(row_series, row_time);  -- of 0013_days.sql
    stored := stored + fresh;
    corrected := corrected + newer;
    duplicate := duplicate + cardinality(row_series) - fresh - newer;
  END LOOP;
  RETURN NEXT;
END $$;
GRANT EXECUTE ON FUNCTION gateway.inbox_put TO gateway_ingest;

-- "This is me", to a whole question (p_times NULL) or to some of its moments; `readings` counts identities, the
-- others versions. To what was measured before the holding,
-- only as a whole: its values are not shown; the holding then begins with the first of them. Never to what was a user
-- who is another person.
CREATE FUNCTION gateway.inbox_accept(p_device uuid, p_part text, p_user int2, p_times timestamptz[], p_seqs int8[])
  RETURNS TABLE (readings int, stored int, duplicate int, corrected int)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE metrics text[]; times timestamptz[]; seqs int8[];
BEGIN
  IF p_part NOT IN ('own', 'before') OR (p_part = 'before' AND p_times IS NOT NULL) THEN RETURN; END IF;
  PERFORM inbox_lock(p_device);
  SELECT array_agg(a.metric), array_agg(a.time), array_agg(a.seq) INTO metrics, times, seqs FROM inbox_asked(p_device) a
    WHERE a.part = p_part AND a.user_index IS NOT DISTINCT FROM p_user
      AND (p_times IS NULL OR (a.time, a.seq) IN (SELECT * FROM unnest(p_times, p_seqs)));
  IF metrics IS NULL THEN RETURN; END IF;
  IF p_part = 'before' AND p_user IS NULL THEN
    UPDATE device_holding h SET during = tstzrange(x.first, upper(h.during))
      FROM (SELECT w.held, min(t) AS first FROM inbox_windows() w JOIN unnest(times) t ON t <@ w.before
            WHERE w.device_id = p_device GROUP BY w.held) x, device d
      WHERE h.device_id = p_device AND h.space_id = app_space() AND h.during = x.held AND d.id = p_device AND NOT d.shared;
  END IF;
  INSERT INTO reading_answer AS r (device_id, metric, time, seq, space_id, mine)
    SELECT p_device, k.metric, k.time, k.seq, app_space(), true FROM unnest(metrics, times, seqs) AS k (metric, time, seq)
    WHERE reading_owner(p_device, k.time, p_user) IS DISTINCT FROM app_space()
    ON CONFLICT (device_id, metric, time, seq) DO UPDATE SET space_id = excluded.space_id, mine = true, answered_at = now();
  RETURN QUERY SELECT cardinality(metrics), p.* FROM inbox_put(p_device, app_space(), metrics, times, seqs) p;
END $$;

-- "Not me": the readings are gone, and are not asked about again. Returns how many there were.
CREATE FUNCTION gateway.inbox_discard(p_device uuid, p_part text, p_user int2, p_times timestamptz[], p_seqs int8[]) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE discarded bigint;
BEGIN
  PERFORM inbox_lock(p_device);
  WITH refused AS MATERIALIZED (
      SELECT a.metric, a.time, a.seq FROM inbox_asked(p_device) a
      WHERE a.part = p_part AND a.user_index IS NOT DISTINCT FROM p_user
        AND (p_times IS NULL OR (a.time, a.seq) IN (SELECT * FROM unnest(p_times, p_seqs)))),
    gone AS (DELETE FROM reading_inbox i USING refused k
      WHERE i.device_id = p_device AND (i.metric, i.time, i.seq) = (k.metric, k.time, k.seq)),
    noted AS (INSERT INTO reading_answer (device_id, metric, time, seq, space_id, mine)
      SELECT p_device, k.metric, k.time, k.seq, app_space(), false FROM refused k
      ON CONFLICT (device_id, metric, time, seq) DO UPDATE SET space_id = excluded.space_id, mine = false, answered_at = now())
    SELECT count(*) INTO discarded FROM refused;
  RETURN discarded;
END $$;

-- From when on a person may be that user: since the holding began, or the user's last person ended. After another person
-- than the holder, only from now on: what the device measured meanwhile may still be theirs.
CREATE FUNCTION gateway.device_user_since(p_device uuid, p_user int2, p_space uuid, p_held tstzrange, p_holder uuid) RETURNS timestamptz
  LANGUAGE sql STABLE SET search_path = gateway, pg_temp AS $$
  SELECT coalesce(
    (SELECT CASE WHEN u.space_id IN (p_space, p_holder) THEN upper(u.during) ELSE now() END FROM device_user u
     WHERE u.device_id = p_device AND u.user_index = p_user AND u.during && p_held ORDER BY upper(u.during) DESC LIMIT 1),
    lower(p_held)) $$;

-- The holder: "this user of the device is me". Says what it found: mapped (now), mine (already), taken (another person
-- is), none (no such device).
CREATE FUNCTION gateway.device_user_map(p_device uuid, p_user int2) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE held tstzrange; person uuid;
BEGIN
  PERFORM inbox_lock(p_device);
  SELECT h.during INTO held FROM device_holding h WHERE h.device_id = p_device AND h.space_id = app_space() AND upper_inf(h.during);
  IF NOT FOUND THEN RETURN 'none'; END IF;
  SELECT u.space_id INTO person FROM device_user u WHERE u.device_id = p_device AND u.user_index = p_user AND upper_inf(u.during);
  IF FOUND THEN RETURN CASE WHEN person = app_space() THEN 'mine' ELSE 'taken' END; END IF;
  UPDATE device SET shared = true WHERE id = p_device AND NOT shared;
  INSERT INTO device_user (device_id, user_index, space_id, during)
    VALUES (p_device, p_user, app_space(),
      tstzrange(device_user_since(p_device, p_user, app_space(), held, app_space()), NULL));
  RETURN 'mapped';
END $$;

-- Another person, with the holder's code: this user of the device is that person, and what waits under it comes along.
-- No row for a code that is unknown, used, expired or one's own, or when the user is somebody already.
CREATE FUNCTION gateway.device_user_redeem(p_hash bytea, p_name text)
  RETURNS TABLE (device_id uuid, user_index int2, holder uuid, called text, readings int)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
#variable_conflict use_column
DECLARE
  code device_user_code; held tstzrange; theirs tstzrange;
  metrics text[]; times timestamptz[]; seqs int8[];
BEGIN
  UPDATE device_user_code c SET used_at = now()
    WHERE c.hash = p_hash AND c.used_at IS NULL AND c.expires_at > now() AND c.space_id <> app_space() RETURNING c.* INTO code;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM inbox_lock(code.device_id);
  SELECT h.during INTO held FROM device_holding h
    WHERE h.device_id = code.device_id AND h.space_id = code.space_id AND upper_inf(h.during);
  IF NOT FOUND OR EXISTS (SELECT FROM device_user u
      WHERE u.device_id = code.device_id AND u.user_index = code.user_index AND upper_inf(u.during)) THEN
    RETURN;
  END IF;
  theirs := tstzrange(device_user_since(code.device_id, code.user_index, app_space(), held, code.space_id), NULL);
  UPDATE device d SET shared = true WHERE d.id = code.device_id AND NOT d.shared;
  INSERT INTO device_user (device_id, user_index, space_id, during, name, called)
    VALUES (code.device_id, code.user_index, app_space(), theirs, p_name, code.called);
  SELECT array_agg(i.metric), array_agg(i.time), array_agg(i.seq) INTO metrics, times, seqs FROM (
    SELECT DISTINCT ON (r.metric, r.time, r.seq) r.metric, r.time, r.seq, reading_user(r.context) AS u FROM reading_inbox r
    WHERE r.device_id = code.device_id AND r.time <@ theirs ORDER BY r.metric, r.time, r.seq, r.version DESC) i
    WHERE i.u = code.user_index;
  IF metrics IS NOT NULL THEN
    PERFORM inbox_put(code.device_id, app_space(), metrics, times, seqs);
  END IF;
  RETURN QUERY SELECT code.device_id, code.user_index, code.space_id, code.called, coalesce(cardinality(metrics), 0);
END $$;

-- From now on this user is nobody. By the holder, or by the person. Returns the person's space, and the holder's.
CREATE FUNCTION gateway.device_user_end(p_device uuid, p_user int2) RETURNS TABLE (person uuid, holder uuid)
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT inbox_lock(p_device);
  UPDATE device_user u
    SET during = tstzrange(lower(u.during), greatest(now(), lower(u.during) + interval '1 microsecond'))
  FROM device_holding h
  WHERE u.device_id = p_device AND u.user_index = p_user AND upper_inf(u.during)
    AND h.device_id = p_device AND upper_inf(h.during) AND app_space() IN (u.space_id, h.space_id)
  RETURNING u.space_id, h.space_id $$;

-- Who uses a device that the present space holds: the users that are somebody, and those that wait for an answer.
CREATE FUNCTION gateway.device_users(p_device uuid)
  RETURNS TABLE (user_index int2, mine boolean, called text, since timestamptz, waiting bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  WITH waiting AS (SELECT a.user_index, count(*) AS readings FROM inbox_asked(p_device) a
                   WHERE a.part IN ('own', 'other') AND a.user_index <> 255 GROUP BY a.user_index),
       known AS (SELECT u.* FROM device_user u WHERE u.device_id = p_device AND upper_inf(u.during))
  SELECT coalesce(k.user_index, w.user_index), k.space_id = app_space(), k.called, lower(k.during), coalesce(w.readings, 0)
  FROM known k FULL JOIN waiting w ON w.user_index = k.user_index
  WHERE EXISTS (SELECT FROM device_holding h WHERE h.device_id = p_device AND h.space_id = app_space() AND upper_inf(h.during))
  ORDER BY 1 $$;
GRANT EXECUTE ON FUNCTION gateway.inbox_groups, gateway.inbox_readings, gateway.inbox_accept, gateway.inbox_discard,
  gateway.device_user_map, gateway.device_user_redeem, gateway.device_user_end, gateway.device_users TO gateway_app;
