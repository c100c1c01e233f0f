-- Certificates with which devices sign in at the broker, by serial number. One that was renewed stays good to its end,
-- in case the answer was lost on its way; all of a device's end with its credentials.
CREATE TABLE gateway.device_certificate (
  serial text PRIMARY KEY CHECK (serial ~ '^[0-9a-f]{1,40}$'),  -- hexadecimal, RFC 5280 §4.1.2.2
  device_id uuid NOT NULL REFERENCES gateway.device,
  issued_at timestamptz NOT NULL DEFAULT now(),
  until timestamptz NOT NULL,
  revoked_at timestamptz);
CREATE INDEX ON gateway.device_certificate (device_id);
GRANT SELECT, DELETE ON gateway.device_certificate TO gateway_ingest;

-- The first one of a device that the present space holds. Whether it does.
CREATE FUNCTION gateway.device_certificate_add(p_device uuid, p_serial text, p_until timestamptz) RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  WITH added AS (
    INSERT INTO device_certificate (serial, device_id, until)
    SELECT p_serial, h.device_id, p_until FROM device_holding h
    WHERE h.device_id = p_device AND h.space_id = app_space() AND upper_inf(h.during)
    RETURNING serial)
  SELECT EXISTS (SELECT FROM added) $$;

-- The next one, for whoever has proved to own `p_old`: that and the new one are good from now on, others no more.
-- Returns the space that holds the device; NULL when `p_old` is not, or no more, a certificate of the device.
CREATE FUNCTION gateway.device_certificate_renew(p_device uuid, p_old text, p_serial text, p_until timestamptz) RETURNS uuid
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE holder uuid;
BEGIN
  PERFORM FROM device d WHERE d.id = p_device FOR UPDATE;
  SELECT h.space_id INTO holder FROM device_holding h JOIN device_certificate c ON c.device_id = h.device_id
    WHERE h.device_id = p_device AND upper_inf(h.during) AND c.serial = p_old AND c.revoked_at IS NULL AND c.until > now();
  IF holder IS NULL THEN RETURN NULL; END IF;
  UPDATE device_certificate SET revoked_at = now() WHERE device_id = p_device AND serial <> p_old AND revoked_at IS NULL;
  INSERT INTO device_certificate (serial, device_id, until) VALUES (p_serial, p_device, p_until);
  RETURN holder;
END $$;
GRANT EXECUTE ON FUNCTION gateway.device_certificate_add, gateway.device_certificate_renew TO gateway_app;

CREATE FUNCTION gateway.device_certificate_end() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
BEGIN
  UPDATE device_certificate SET revoked_at = now() WHERE device_id = NEW.id AND revoked_at IS NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER certificates_end AFTER UPDATE OF credential_version ON gateway.device
  FOR EACH ROW WHEN (NEW.credential_version <> OLD.credential_version) EXECUTE FUNCTION gateway.device_certificate_end();

-- A new password for a device that the present space holds and that signs in by itself; what it had before is dead.
CREATE FUNCTION gateway.device_credential_renew(p_device uuid, p_credential text) RETURNS TABLE (model text, name text)
  LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
  UPDATE device d SET credential = p_credential, credential_version = d.credential_version + 1
  FROM device_holding h
  WHERE d.id = p_device AND d.parent_id IS NULL AND h.device_id = d.id AND h.space_id = app_space() AND upper_inf(h.during)
  RETURNING d.model, h.name $$;
GRANT EXECUTE ON FUNCTION gateway.device_credential_renew TO gateway_app;
