-- What the portal and pairing need beside the first three files: the account behind a session for changes that ask for
-- the password again, checking the journal, and a count of guesses at claim codes.

-- For a step that asks for the password once more: the hash of the account that the session belongs to, and no other.
CREATE FUNCTION gateway.account_of_session(p_hash bytea)
  RETURNS TABLE (id uuid, username text, password_hash text, not_before timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT a.id, a.username, a.password_hash, a.not_before
        FROM session s JOIN account a ON a.id = s.account_id WHERE s.hash = p_hash AND s.expires_at > now() $$;

-- Verification of a chain: where it ends, so that missing last rows are noticed; and the hash that each row must have.
CREATE FUNCTION gateway.journal_end() RETURNS TABLE (n bigint, hash bytea)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT h.n, h.hash FROM journal_head h WHERE h.space_id = app_space() $$;
GRANT EXECUTE ON FUNCTION gateway.account_of_session, gateway.journal_end, gateway.journal_hash TO gateway_app;

-- The space that a live claim code belongs to: a refusal is told to its patient. Only who has the code can ask.
CREATE FUNCTION gateway.claim_space(p_hash bytea) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = gateway, pg_temp
  AS $$ SELECT c.space_id FROM claim_code c WHERE c.hash = p_hash AND c.used_at IS NULL AND c.expires_at > now() $$;
GRANT EXECUTE ON FUNCTION gateway.claim_space TO gateway_app;

-- Guesses at claim codes per network address, so that every HTTP worker sees the same count.
CREATE TABLE gateway.claim_attempt (
  address text PRIMARY KEY,                              -- IPv4 address, or the /64 of an IPv6 one
  attempts int NOT NULL DEFAULT 1,
  started_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON gateway.claim_attempt (started_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.claim_attempt TO gateway_app;
