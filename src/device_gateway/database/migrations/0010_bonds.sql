-- Bonds that outlive the hub that made them, hubs that take the place of others, and a closer look at who takes over.

-- What a device and an edge know each other by, as the edge sealed it: only `serve` can open it, and only for an edge
-- that carries the device now. It ends with the holding.
CREATE TABLE gateway.device_bond (
  device_id uuid PRIMARY KEY REFERENCES gateway.device,
  space_id uuid NOT NULL REFERENCES gateway.space,
  edge_id uuid NOT NULL REFERENCES gateway.device,
  sealed bytea CHECK (octet_length(sealed) <= 2560),  -- NULL: the edge's system does not give it away
  made_at timestamptz NOT NULL,                 -- the edge's time: what came late undoes nothing
  updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON gateway.device_bond (space_id);
CREATE INDEX ON gateway.device_bond (edge_id);
ALTER TABLE gateway.device_bond ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.device_bond USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.device_bond TO gateway_ingest USING (true);
GRANT SELECT ON gateway.device_bond TO gateway_app;
GRANT SELECT (device_id, made_at), INSERT, UPDATE ON gateway.device_bond TO gateway_ingest;

CREATE FUNCTION gateway.device_bond_end() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
BEGIN
  DELETE FROM device_bond b WHERE b.device_id = OLD.device_id AND b.space_id = OLD.space_id;
  RETURN NULL;
END $$;
CREATE TRIGGER bond_ends AFTER UPDATE OF during ON gateway.device_holding FOR EACH ROW
  WHEN (upper_inf(OLD.during) AND NOT upper_inf(NEW.during)) EXECUTE FUNCTION gateway.device_bond_end();
CREATE TRIGGER bond_goes AFTER DELETE ON gateway.device_holding FOR EACH ROW EXECUTE FUNCTION gateway.device_bond_end();

-- A claim code may be for the hub that takes the place of another one.
ALTER TABLE gateway.claim_code ADD COLUMN replaces uuid REFERENCES gateway.device;

-- What the old edge carried, the new one carries. Both are the present space's. Returns how many devices.
CREATE FUNCTION gateway.edge_replace(p_old uuid, p_new uuid) RETURNS int
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE moved int;
BEGIN
  IF (SELECT count(*) FROM device d JOIN device_holding h ON h.device_id = d.id
      WHERE d.id IN (p_old, p_new) AND d.kind = 'edge' AND h.space_id = app_space() AND upper_inf(h.during)) <> 2 THEN
    RETURN 0;
  END IF;
  UPDATE device d SET parent_id = p_new FROM device_holding h
    WHERE d.parent_id = p_old AND h.device_id = d.id AND h.space_id = app_space() AND upper_inf(h.during);
  GET DIAGNOSTICS moved = ROW_COUNT;
  UPDATE device_bond b SET edge_id = p_new WHERE b.edge_id = p_old AND b.space_id = app_space();
  RETURN moved;
END $$;
GRANT EXECUTE ON FUNCTION gateway.edge_replace TO gateway_app;

-- The space of an edge that has signed in with its credentials.
CREATE FUNCTION gateway.edge_space(p_edge uuid) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT h.space_id FROM device_holding h JOIN device d ON d.id = h.device_id
        WHERE d.id = p_edge AND d.kind = 'edge' AND upper_inf(h.during) $$;
GRANT EXECUTE ON FUNCTION gateway.edge_space TO gateway_app;

-- What the patient answered in the portal, since the device was chosen: an edge's word alone takes nothing over.
ALTER TABLE gateway.edge_pairing ADD COLUMN answered text CHECK (answered IN ('passkey', 'number'));
-- Nor does a bond made now take over a device that its holder's edge read within the last day.
DROP FUNCTION gateway.device_taken_over(uuid, text);
CREATE FUNCTION gateway.device_taken_over(p_pairing uuid, p_model text)
  RETURNS TABLE (device_id uuid, space_id uuid, bond_erased boolean)
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  UPDATE device_holding h
    SET during = tstzrange(lower(h.during), greatest(now(), lower(h.during) + interval '1 microsecond'))
  FROM edge_pairing p, edge_event e, device d
  WHERE p.id = p_pairing AND p.space_id = app_space()
    AND e.pairing_id = p.id AND e.id > p.asked_after AND e.event = 'paired' AND e.details->>'address' = p.address
    AND e.details->>'proof' = p.answered AND e.received_at > now() - interval '15 minutes'
    AND d.hardware_id = p.address AND d.model = p_model AND h.device_id = d.id AND upper_inf(h.during)
    AND h.space_id <> p.space_id AND (h.last_seen_at IS NULL OR h.last_seen_at < now() - interval '1 day')
  RETURNING h.device_id, h.space_id, EXISTS (SELECT FROM device_bond b WHERE b.device_id = h.device_id) $$;
-- Whether its holder's edge read the device within the last day, asked by whoever has just bonded with it.
CREATE FUNCTION gateway.device_in_use(p_pairing uuid, p_model text) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM edge_pairing p, edge_event e, device d, device_holding h
    WHERE p.id = p_pairing AND p.space_id = app_space()
      AND e.pairing_id = p.id AND e.id > p.asked_after AND e.event = 'paired' AND e.details->>'address' = p.address
      AND e.details->>'proof' = p.answered AND d.hardware_id = p.address AND d.model = p_model
      AND h.device_id = d.id AND upper_inf(h.during) AND h.space_id <> p.space_id
      AND h.last_seen_at >= now() - interval '1 day') $$;
GRANT EXECUTE ON FUNCTION gateway.device_taken_over, gateway.device_in_use TO gateway_app;
