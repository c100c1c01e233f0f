-- What is closed stays closed, whoever asks: a consent taken back, a grant or a token revoked, a code or a refresh token
-- used, a request answered. Serving has to be able to close them, and so could open them again. Run by gateway_owner.
CREATE FUNCTION catalogue.stays_closed() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '% is closed for good', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
REVOKE ALL ON FUNCTION catalogue.stays_closed() FROM PUBLIC;

DO $$ DECLARE closed record; BEGIN
  FOR closed IN SELECT * FROM (VALUES ('consent', 'withdrawn_at'), ('access_grant', 'revoked_at'),
      ('token', 'revoked_at'), ('token', 'used_at'), ('authorization_code', 'used_at'),
      ('authorization_request', 'answered_at'), ('pushed_request', 'used_at'), ('launch', 'used_at'),
      ('initial_token', 'used_at')) AS every (name, stamp) LOOP
    EXECUTE format('CREATE TRIGGER %2$s_for_good BEFORE UPDATE OF %2$I ON catalogue.%1$I FOR EACH ROW
      WHEN (OLD.%2$I IS NOT NULL AND NEW.%2$I IS NULL) EXECUTE FUNCTION catalogue.stays_closed()',
      closed.name, closed.stamp);
  END LOOP;
END $$;
