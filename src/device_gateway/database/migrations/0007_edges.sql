-- Edges: whether they are there, what the portal asks of them, and what they tell while a device is paired.
ALTER TABLE gateway.device_holding
  ADD COLUMN online boolean,                    -- of an edge or hub: its status message or its will; NULL: never said
  ADD COLUMN online_since timestamptz,          -- when that changed
  ADD COLUMN rssi_dbm int2 CHECK (rssi_dbm BETWEEN -127 AND 20),
  ADD COLUMN bond_lost_at timestamptz;          -- the edge and the device no longer know each other: pair it again
GRANT UPDATE (online, online_since, rssi_dbm, bond_lost_at) ON gateway.device_holding TO gateway_ingest;

-- One pairing of a Bluetooth device at an edge, driven from the portal.
CREATE TABLE gateway.edge_pairing (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  space_id uuid NOT NULL REFERENCES gateway.space,
  edge_id uuid NOT NULL REFERENCES gateway.device,
  created_at timestamptz NOT NULL DEFAULT now(),
  step text NOT NULL DEFAULT 'scan' CHECK (step IN ('scan', 'pair', 'answer', 'added')),
  asked_at timestamptz NOT NULL DEFAULT now(),  -- the last command
  asked_after bigint NOT NULL DEFAULT 0,        -- the last event before it: what counts came later
  address text,                                 -- the device that was chosen
  device_id uuid REFERENCES gateway.device);    -- once it is registered
CREATE INDEX ON gateway.edge_pairing (space_id, created_at);
ALTER TABLE gateway.edge_pairing ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.edge_pairing USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.edge_pairing FOR SELECT TO gateway_ingest USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.edge_pairing TO gateway_app;
GRANT SELECT ON gateway.edge_pairing TO gateway_ingest;

CREATE TABLE gateway.edge_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  space_id uuid NOT NULL REFERENCES gateway.space,
  pairing_id uuid NOT NULL REFERENCES gateway.edge_pairing ON DELETE CASCADE,
  message_id text NOT NULL,                     -- an edge sends again what was not answered
  event text NOT NULL,
  details jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (pairing_id, message_id));
ALTER TABLE gateway.edge_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.edge_event USING (space_id = gateway.app_space());
CREATE POLICY ingest ON gateway.edge_event TO gateway_ingest USING (true);
GRANT SELECT ON gateway.edge_event TO gateway_app;
GRANT SELECT, INSERT ON gateway.edge_event TO gateway_ingest;

-- A command waits here for the job that publishes it; then its body, which may be a passkey, is gone.
CREATE TABLE gateway.edge_command (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  space_id uuid NOT NULL REFERENCES gateway.space,
  edge_id uuid NOT NULL REFERENCES gateway.device,
  command text NOT NULL,
  body jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  sent_at timestamptz);
ALTER TABLE gateway.edge_command ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway.edge_command USING (space_id = gateway.app_space());
GRANT SELECT, INSERT, UPDATE ON gateway.edge_command TO gateway_app;

-- Whoever has just bonded with a device by what it shows has it in hand: the former holding ends, its history stays with
-- the former holder. Returns that space and the device; no row without such a proof of the last quarter of an hour.
CREATE FUNCTION gateway.device_taken_over(p_pairing uuid, p_model text) RETURNS TABLE (device_id uuid, space_id uuid)
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  UPDATE device_holding h
    SET during = tstzrange(lower(h.during), greatest(now(), lower(h.during) + interval '1 microsecond'))
  FROM edge_pairing p, edge_event e, device d
  WHERE p.id = p_pairing AND p.space_id = app_space()
    AND e.pairing_id = p.id AND e.id > p.asked_after AND e.event = 'paired' AND e.details->>'address' = p.address
    AND e.details->>'proof' IN ('passkey', 'number') AND e.received_at > now() - interval '15 minutes'
    AND d.hardware_id = p.address AND d.model = p_model AND h.device_id = d.id AND upper_inf(h.during)
    AND h.space_id <> p.space_id
  RETURNING h.device_id, h.space_id $$;
GRANT EXECUTE ON FUNCTION gateway.device_taken_over TO gateway_app;
