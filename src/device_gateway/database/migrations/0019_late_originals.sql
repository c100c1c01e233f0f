-- What a reading says of itself decides which of its contents is current, not the order in which they came: corrected before
-- final, final before preliminary; among equals the one that came last. What comes late becomes a version of the past: it has
-- the number of what is current, which counts one up, so that who remembers a number asks again.
-- A broker may deliver a correction before the original that a worker had taken when it died.
CREATE FUNCTION gateway.reading_rank(p_flags int2) RETURNS int
  LANGUAGE sql IMMUTABLE AS $$ SELECT CASE (p_flags >> 8) & 7 WHEN 1 THEN 0 WHEN 0 THEN 1 ELSE 2 END $$;

CREATE OR REPLACE FUNCTION gateway.reading_keep_version() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE
  past record := OLD;
BEGIN
  IF EXISTS (SELECT FROM reading_version v WHERE v.series = NEW.series AND v.time = NEW.time AND v.seq = NEW.seq
      AND (v.value, v.value2, v.value3, v.decimals, v.flags, v.context)
        IS NOT DISTINCT FROM (NEW.value, NEW.value2, NEW.value3, NEW.decimals, NEW.flags, NEW.context)) THEN
    RETURN NULL;
  END IF;
  IF reading_rank(NEW.flags) < reading_rank(OLD.flags) THEN
    past := NEW;
    NEW := OLD;
    NEW.version := past.version;
  END IF;
  INSERT INTO reading_version (series, time, seq, version, value, value2, value3, decimals, offset_min, flags, context)
    VALUES (past.series, past.time, past.seq, OLD.version, past.value, past.value2, past.value3, past.decimals, past.offset_min,
      past.flags, past.context);
  RETURN NEW;
END $$;
