-- Where a patient may be written to, and when they come of age. Run by gateway_owner.
ALTER TABLE gateway.space
  ADD COLUMN notice_email text,              -- shown to be the patient's: the code that was sent there came back
  ADD COLUMN asked_email text,               -- the address that a code was sent to
  ADD COLUMN asked_email_code bytea,         -- SHA-256 of the space and the code
  ADD COLUMN asked_email_at timestamptz,
  ADD COLUMN asked_email_guesses int2 NOT NULL DEFAULT 0,
  ADD COLUMN birth_date date,                -- as the patient gave it
  ADD COLUMN of_age_since date;              -- the majority that the catalogue was told of, or that was past when given
GRANT UPDATE (notice_email, asked_email, asked_email_code, asked_email_at, asked_email_guesses, birth_date, of_age_since)
  ON gateway.space TO gateway_app;
CREATE INDEX ON gateway.space (birth_date) WHERE birth_date IS NOT NULL AND of_age_since IS NULL;

-- The language of the patient whose space it is.
CREATE FUNCTION gateway.space_language() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT language FROM account WHERE space_id = app_space() $$;
-- Spaces whose patients were born on `p_born` or before, and of whose majority nobody was told.
CREATE FUNCTION gateway.spaces_of_age(p_born date) RETURNS TABLE (space_id uuid, birth_date date)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT id, s.birth_date FROM space s WHERE s.birth_date <= p_born AND of_age_since IS NULL AND closed_at IS NULL
        ORDER BY id LIMIT 500 $$;
REVOKE ALL ON FUNCTION gateway.space_language, gateway.spaces_of_age FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gateway.space_language, gateway.spaces_of_age TO gateway_app;
