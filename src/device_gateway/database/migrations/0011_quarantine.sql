-- Quarantine that cannot be flooded, what dialects remember, when messages without a time came, devices heard by hubs.

-- One row for each sender and kind of trouble: it counts all that came, of which `gateway.quarantine` keeps the first.
CREATE TABLE gateway.quarantine_group (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sender text NOT NULL, dialect text NOT NULL,
  reason text NOT NULL,                         -- without what differs from one message to the next
  seen bigint NOT NULL DEFAULT 0,
  first_at timestamptz NOT NULL DEFAULT now(), last_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  UNIQUE (sender, dialect, reason));
CREATE INDEX ON gateway.quarantine_group (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.quarantine_group TO gateway_ingest;

ALTER TABLE gateway.quarantine
  ADD COLUMN group_id bigint REFERENCES gateway.quarantine_group ON DELETE CASCADE,  -- NULL: written by the version before
  ADD COLUMN received_at timestamptz;           -- of the message, for what has no time of its own; NULL: first_at
INSERT INTO gateway.quarantine_group (sender, dialect, reason, seen, first_at, last_at, expires_at)
  SELECT sender, dialect, left(reason, 500), sum(seen), min(first_at), max(last_at), max(expires_at)
  FROM gateway.quarantine GROUP BY sender, dialect, left(reason, 500);
UPDATE gateway.quarantine q SET group_id = g.id FROM gateway.quarantine_group g
  WHERE (g.sender, g.dialect, g.reason) = (q.sender, q.dialect, left(q.reason, 500));
CREATE INDEX ON gateway.quarantine (group_id);

-- The operators' page: every function asks who is signed in, and answers nobody but an operator.
CREATE FUNCTION gateway.is_operator(p_session bytea) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT EXISTS (SELECT FROM session s JOIN account a ON a.id = s.account_id
        WHERE s.hash = p_session AND s.expires_at > now() AND a.kind = 'operator') $$;
CREATE FUNCTION gateway.quarantine_groups(p_session bytea, p_limit int)
  RETURNS TABLE (id bigint, sender text, dialect text, reason text, seen bigint, kept bigint, waiting bigint,
    first_at timestamptz, last_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT g.id, g.sender, g.dialect, g.reason, g.seen, count(q.id), count(q.id) FILTER (WHERE q.replayed_at IS NULL),
          g.first_at, g.last_at
        FROM quarantine_group g LEFT JOIN quarantine q ON q.group_id = g.id
        WHERE is_operator(p_session) GROUP BY g.id ORDER BY g.last_at DESC, g.id LIMIT p_limit $$;
CREATE FUNCTION gateway.quarantine_rows(p_session bytea, p_group bigint)
  RETURNS TABLE (id bigint, topic text, pointer text, reason text, seen int, octets int, first_at timestamptz,
    last_at timestamptz, expires_at timestamptz, replayed_at timestamptz, replay_result text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT q.id, q.topic, q.pointer, q.reason, q.seen, length(q.payload), q.first_at, q.last_at, q.expires_at,
          q.replayed_at, q.replay_result
        FROM quarantine q WHERE q.group_id = p_group AND is_operator(p_session) ORDER BY q.id $$;
CREATE FUNCTION gateway.quarantine_payload(p_session bytea, p_id bigint)
  RETURNS TABLE (id bigint, group_id bigint, topic text, sender text, dialect text, payload bytea, pointer text,
    reason text, seen int, first_at timestamptz, last_at timestamptz, expires_at timestamptz, replay_result text,
    space_id uuid)                              -- whose device sent it, as far as is known: that patient is told
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT q.id, q.group_id, q.topic, q.sender, q.dialect, q.payload, q.pointer, q.reason, q.seen, q.first_at,
          q.last_at, q.expires_at, q.replay_result,
          (SELECT h.space_id FROM device_holding h
           WHERE h.device_id::text = q.sender AND h.during @> coalesce(q.received_at, q.first_at))
        FROM quarantine q WHERE q.id = p_id AND is_operator(p_session) $$;
GRANT EXECUTE ON FUNCTION gateway.is_operator, gateway.quarantine_groups, gateway.quarantine_rows,
  gateway.quarantine_payload TO gateway_app;

-- What messages of a sender mean to those that follow (discovery messages): every worker and every replay knows it.
CREATE TABLE gateway.dialect_memory (
  sender uuid NOT NULL REFERENCES gateway.device ON DELETE CASCADE,
  dialect text NOT NULL, key text NOT NULL, value text NOT NULL,
  noted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (sender, dialect, key));
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.dialect_memory TO gateway_ingest;

-- When a message without a time of its own came. The broker may send it again, and keeps what is retained: the reading is
-- the one of the first arrival then.
CREATE TABLE gateway.arrival (
  digest bytea NOT NULL,                        -- SHA-256 of topic and payload
  received_at timestamptz NOT NULL,
  acknowledged boolean NOT NULL DEFAULT false,  -- to the broker: it does not come again but as retained
  PRIMARY KEY (digest, received_at));
CREATE INDEX ON gateway.arrival (received_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.arrival TO gateway_ingest;

-- Names of devices that a hub or edge spoke for and nobody has registered: what they are, never a value.
CREATE TABLE gateway.heard_device (
  hub_id uuid NOT NULL REFERENCES gateway.device ON DELETE CASCADE,
  name text NOT NULL,
  dialect text NOT NULL,
  metrics text[] NOT NULL,
  seen bigint NOT NULL DEFAULT 1,
  first_at timestamptz NOT NULL DEFAULT now(), last_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (hub_id, name));
ALTER TABLE gateway.heard_device ENABLE ROW LEVEL SECURITY;
-- Whoever holds the hub now sees what it has heard since.
CREATE POLICY own ON gateway.heard_device USING (EXISTS (SELECT FROM gateway.device_holding h
  WHERE h.device_id = hub_id AND h.space_id = gateway.app_space() AND h.during @> last_at AND upper_inf(h.during)));
CREATE POLICY ingest ON gateway.heard_device TO gateway_ingest USING (true);
GRANT SELECT, DELETE ON gateway.heard_device TO gateway_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.heard_device TO gateway_ingest;
