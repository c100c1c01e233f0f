-- Mail to people, and spaces of patients who do not exist. Run by gateway_owner.

-- Outbox of mail: written in the transaction that caused it, sent by `jobs`, or kept for the operator where no server for
-- mail is set. The text can hold a link that opens something: it is sealed, and erased once it was sent.
CREATE TABLE gateway.outgoing_mail (
  id uuid PRIMARY KEY,                        -- also in the Message-ID: what is sent twice is one mail to whoever gets it
  recipient text NOT NULL,
  subject text NOT NULL,
  body bytea,                                 -- UTF-8; none once it was sent
  sealed boolean NOT NULL,                    -- under the key that seals the catalogue's secrets
  created_at timestamptz NOT NULL DEFAULT now(),
  attempts int NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL DEFAULT now(),
  last_error text,
  sent_at timestamptz,
  failed_at timestamptz                       -- given up: last_error says why
);
CREATE INDEX ON gateway.outgoing_mail (next_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX ON gateway.outgoing_mail (created_at);
GRANT SELECT, INSERT, DELETE, UPDATE (body, sealed, attempts, next_at, last_error, sent_at, failed_at)
  ON gateway.outgoing_mail TO gateway_app;

-- Simulated patients, for vendors to try their apps with. Only such a space can be emptied and ended from here.
ALTER TABLE gateway.space ADD COLUMN simulated boolean NOT NULL DEFAULT false;

-- A space and an account for it. Nobody but a simulated patient is made so.
CREATE FUNCTION gateway.sandbox_open(p_username text, p_password_hash text, p_display_name text, p_language text, p_zone text)
  RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ WITH made AS (INSERT INTO space (zone, simulated) VALUES (p_zone, true) RETURNING id)
        INSERT INTO account (username, kind, display_name, password_hash, language, space_id)
        SELECT p_username, 'patient', p_display_name, p_password_hash, p_language, made.id FROM made RETURNING space_id $$;

-- Every reading of the present space, which has to be a simulated patient's.
CREATE FUNCTION gateway.sandbox_clear() RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE keys int4[];
BEGIN
  IF NOT EXISTS (SELECT FROM space WHERE id = app_space() AND simulated) THEN
    RAISE EXCEPTION 'not the space of a simulated patient' USING ERRCODE = 'insufficient_privilege';
  END IF;
  keys := ARRAY(SELECT id FROM series WHERE space_id = app_space());
  DELETE FROM reading WHERE series = ANY (keys);
  DELETE FROM reading_version WHERE series = ANY (keys);
  DELETE FROM reading_day WHERE series = ANY (keys);
END $$;

-- The present space, of a simulated patient, ends: readings, devices, sessions and account.
CREATE FUNCTION gateway.sandbox_end() RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
BEGIN
  PERFORM sandbox_clear();
  PERFORM device_release(h.device_id) FROM device_holding h WHERE h.space_id = app_space() AND upper_inf(h.during);
  DELETE FROM account WHERE space_id = app_space();
  UPDATE space SET closed_at = now() WHERE id = app_space();
END $$;

-- Who is signed in, and whether it is a simulated patient: every page says so. Processes of the version before go on with
-- session_of.
CREATE FUNCTION gateway.session_account(p_hash bytea)
  RETURNS TABLE (id uuid, kind text, space_id uuid, display_name text, language text, csrf_token text, zone text,
    simulated boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT a.id, a.kind, a.space_id, a.display_name, a.language, s.csrf_token, p.zone, coalesce(p.simulated, false)
        FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN space p ON p.id = a.space_id
        WHERE s.hash = p_hash AND s.expires_at > now() $$;

REVOKE ALL ON FUNCTION gateway.sandbox_open, gateway.sandbox_clear, gateway.sandbox_end, gateway.session_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gateway.sandbox_open, gateway.sandbox_clear, gateway.sandbox_end, gateway.session_account
  TO gateway_app;
