-- The registry: devices, who holds them when, claim codes, clocks, activity.
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA gateway;

CREATE TABLE gateway.device (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  model text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('device', 'hub', 'edge')),
  parent_id uuid REFERENCES gateway.device,     -- the hub or edge through which it sends; NULL: by itself
  hardware_id text,                             -- Bluetooth address, serial number: what the thing itself says it is
  credential text,                              -- $7$ PBKDF2-SHA512 of the MQTT password, as Mosquitto's files have it
  credential_version int NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (model, hardware_id));
CREATE INDEX ON gateway.device (parent_id, hardware_id);

-- Whose reading is it? The holder's at its effective time. Name, battery and last contact belong to the holding, so
-- that the next owner's use of a device is not seen by the former one.
CREATE TABLE gateway.device_holding (
  device_id uuid NOT NULL REFERENCES gateway.device,
  space_id uuid NOT NULL REFERENCES gateway.space,
  during tstzrange NOT NULL CHECK (NOT isempty(during)),
  name text NOT NULL,
  last_seen_at timestamptz,
  battery_percent int2 CHECK (battery_percent BETWEEN 0 AND 100),
  clock_skew_s int,                             -- device clock minus true time, at the last comparison
  CONSTRAINT one_holder EXCLUDE USING gist (device_id WITH =, during WITH &&));
CREATE INDEX ON gateway.device_holding (space_id);

ALTER TABLE gateway.device ENABLE ROW LEVEL SECURITY;
ALTER TABLE gateway.device_holding ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.device_holding USING (space_id = gateway.app_space());
CREATE POLICY own ON gateway.device FOR SELECT USING (
  EXISTS (SELECT FROM gateway.device_holding h WHERE h.device_id = id AND h.space_id = gateway.app_space()));
CREATE POLICY ingest ON gateway.device FOR SELECT TO gateway_ingest USING (true);
CREATE POLICY ingest ON gateway.device_holding TO gateway_ingest USING (true);
GRANT SELECT (id, model, kind, parent_id, hardware_id, created_at) ON gateway.device TO gateway_app;
GRANT SELECT ON gateway.device TO gateway_ingest;
GRANT SELECT, UPDATE (name) ON gateway.device_holding TO gateway_app;
GRANT SELECT, UPDATE (last_seen_at, battery_percent, clock_skew_s) ON gateway.device_holding TO gateway_ingest;

CREATE TABLE gateway.claim_code (
  hash bytea PRIMARY KEY,                       -- SHA-256 of the code, upper case, without separators
  space_id uuid NOT NULL REFERENCES gateway.space,
  name text NOT NULL,                           -- what the patient calls the device
  since timestamptz NOT NULL DEFAULT now(),     -- the patient says: what it measured from here on is mine
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  device_id uuid REFERENCES gateway.device);
ALTER TABLE gateway.claim_code ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.claim_code USING (space_id = gateway.app_space());
GRANT SELECT, INSERT ON gateway.claim_code TO gateway_app;

-- Redeems a claim code: the device (made, or found again by its hardware id) is held by the code's space from `since` on,
-- or from the end of the last holding if that is later. Returns no row for a bad code; raises 23P01 when someone holds it.
CREATE FUNCTION gateway.claim_redeem(p_hash bytea, p_model text, p_kind text, p_parent uuid, p_hardware_id text, p_credential text)
  RETURNS TABLE (device_id uuid, space_id uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE
  code claim_code;
  found_id uuid;
  taken_until timestamptz;
BEGIN
  UPDATE claim_code c SET used_at = now() WHERE c.hash = p_hash AND c.used_at IS NULL AND c.expires_at > now() RETURNING c.* INTO code;
  IF NOT FOUND THEN RETURN; END IF;
  INSERT INTO device AS d (model, kind, parent_id, hardware_id, credential, credential_version)
    VALUES (p_model, p_kind, p_parent, p_hardware_id, p_credential, 1)
    ON CONFLICT (model, hardware_id) DO UPDATE SET parent_id = excluded.parent_id, credential = excluded.credential,
      credential_version = d.credential_version + 1
    RETURNING d.id INTO found_id;
  IF EXISTS (SELECT FROM device_holding h WHERE h.device_id = found_id AND upper_inf(h.during)) THEN
    IF EXISTS (SELECT FROM device_holding h WHERE h.device_id = found_id AND upper_inf(h.during) AND h.space_id <> code.space_id) THEN
      RAISE EXCEPTION 'held by someone' USING ERRCODE = 'exclusion_violation';
    END IF;  -- the same holder pairs again, after a factory reset for instance: the holding and its history go on
  ELSE
    SELECT max(upper(h.during)) INTO taken_until FROM device_holding h WHERE h.device_id = found_id;
    INSERT INTO device_holding (device_id, space_id, during, name)
      VALUES (found_id, code.space_id, tstzrange(greatest(code.since, taken_until), NULL), code.name);
  END IF;
  UPDATE claim_code c SET device_id = found_id WHERE c.hash = p_hash;
  RETURN QUERY SELECT found_id, code.space_id;
END $$;

-- Ends the holding, and what the device could sign in with; its history stays. The way through a hub or edge stays too:
-- what they still hold from the time of the holding must arrive. Returns whether there was a holding.
CREATE FUNCTION gateway.device_release(p_device uuid) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE released boolean;
BEGIN
  UPDATE device_holding h SET during = tstzrange(lower(h.during), greatest(now(), lower(h.during) + interval '1 microsecond'))
    WHERE h.device_id = p_device AND h.space_id = app_space() AND upper_inf(h.during) RETURNING true INTO released;
  IF released THEN
    UPDATE device SET credential = NULL, credential_version = credential_version + 1 WHERE id = p_device;
  END IF;
  RETURN coalesce(released, false);
END $$;

-- What a broker must know to let a device in; also how an edge signs in to claim its meters.
CREATE FUNCTION gateway.device_credential(p_device uuid) RETURNS TABLE (credential text, kind text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT d.credential, d.kind FROM device d
        WHERE d.id = p_device AND d.credential IS NOT NULL
          AND EXISTS (SELECT FROM device_holding h WHERE h.device_id = d.id AND upper_inf(h.during)) $$;
GRANT EXECUTE ON FUNCTION gateway.claim_redeem, gateway.device_release TO gateway_app;
GRANT EXECUTE ON FUNCTION gateway.device_credential TO gateway_app, gateway_ingest;

-- Wall clock of a device ▸ instants. Append only; a segment is frozen once a reading went through it, so a full
-- re-transfer after a journey or a corrected clock maps old records to the same instants. instant = raw - shift_s.
CREATE TABLE gateway.device_clock (
  device_id uuid NOT NULL REFERENCES gateway.device,
  from_seq bigint NOT NULL,
  from_raw timestamp NOT NULL,
  shift_s int NOT NULL,                         -- seconds: device wall clock minus UTC
  utc_offset_min int2 NOT NULL,                 -- the patient's offset while the segment lasts
  measured_at timestamptz,                      -- NULL: assumed from the zone of the space, never measured
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE INDEX ON gateway.device_clock (device_id, id);
-- The newest record that went through the last segment: what comes after it may use a new one.
CREATE TABLE gateway.device_clock_used (
  device_id uuid PRIMARY KEY REFERENCES gateway.device, last_seq bigint NOT NULL, last_raw timestamp NOT NULL);
GRANT SELECT, INSERT ON gateway.device_clock TO gateway_ingest;
GRANT SELECT, INSERT, UPDATE ON gateway.device_clock_used TO gateway_ingest;

CREATE TABLE gateway.device_activity (
  device_id uuid NOT NULL REFERENCES gateway.device,
  space_id uuid NOT NULL REFERENCES gateway.space,
  hour timestamptz NOT NULL,
  stored int NOT NULL DEFAULT 0, duplicate int NOT NULL DEFAULT 0, corrected int NOT NULL DEFAULT 0,
  rejected int NOT NULL DEFAULT 0, unassigned int NOT NULL DEFAULT 0,
  PRIMARY KEY (device_id, space_id, hour));
CREATE INDEX ON gateway.device_activity (space_id, hour);
ALTER TABLE gateway.device_activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.device_activity USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.device_activity TO gateway_ingest USING (true);
GRANT SELECT ON gateway.device_activity TO gateway_app;
GRANT SELECT, INSERT, UPDATE ON gateway.device_activity TO gateway_ingest;
