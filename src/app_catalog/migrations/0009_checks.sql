-- What a token is worth, at the time of whoever asks; tokens that programs present, with the secrets of their client; and a
-- refresh in one statement. Run by gateway_owner.

DROP FUNCTION catalogue.grant_of_token(bytea), catalogue.open_token(bytea), catalogue.open_code(bytea);
DROP VIEW catalogue.token_state, catalogue.code_state, catalogue.grant_state;

-- A consent counts while its date has not come, the version in force has its purpose word for word, and no question about
-- a new version is left unanswered beyond its limit. A grant ends with the last consent under it. In the space of a
-- simulated patient an app of the same vendor is its undecided application, and every other app is nothing; a grant there
-- is good for the application that it was given for, and for no later one.
-- Sees every space: for the functions below, and nobody else. `consented` is JSON as text.
CREATE FUNCTION catalogue.grant_at(wanted uuid, at timestamptz) RETURNS TABLE (grant_id uuid, pairing_id uuid,
    subject uuid, person uuid, grant_scope text, grant_expires_at timestamptz, grant_revoked_at timestamptz, app_id uuid,
    client_id text, app_status text, app_name text, profile text, consented text, waits_for_answer boolean,
    in_sandbox boolean, tested_application uuid, secret_hash bytea, former_secret_hash bytea,
    former_secret_until timestamptz)
  LANGUAGE sql STABLE AS $$
  SELECT g.id, g.pairing_id, g.subject, g.person, g.scope, least(g.expires_at, k.ends_at), g.revoked_at, a.id,
    a.client_id, a.status, v.name, v.profile, CASE WHEN w.waits THEN '[]' ELSE k.consented END, w.waits,
    s.subject IS NOT NULL, g.tested_application, a.secret_hash, a.former_secret_hash, a.former_secret_until
  FROM catalogue.access_grant g
  JOIN catalogue.pairing r ON r.id = g.pairing_id
  JOIN catalogue.app a ON a.id = r.app_id
  LEFT JOIN catalogue.sandbox_space s ON s.subject = g.subject
  JOIN catalogue.application v ON v.id = CASE
    WHEN s.subject IS NULL THEN a.application_id
    WHEN s.ended_at IS NULL AND s.vendor_id = a.vendor_id THEN (SELECT n.id FROM catalogue.application n
      WHERE n.id = g.tested_application AND n.state IN ('submitted', 'admissible')) END
  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM catalogue.reapproval q
      WHERE q.pairing_id = g.pairing_id AND q.answered_at IS NULL AND q.limit_at <= at) AS waits) w
  CROSS JOIN LATERAL (SELECT max(c.ends_at) AS ends_at,
      coalesce((json_agg(json_build_object('key', f.key, 'fr', f.name_fr, 'en', f.name_en,
        'scope', f.read_scope || ' ' || f.write_scope) ORDER BY f.position)
        FILTER (WHERE f.id IS NOT NULL AND c.ends_at > at))::text, '[]') AS consented
    FROM catalogue.consent c JOIN catalogue.purpose p ON p.id = c.purpose_id
    LEFT JOIN catalogue.purpose f ON f.application_id = v.id AND f.same_as = p.same_as
    WHERE c.pairing_id = g.pairing_id AND c.withdrawn_at IS NULL) k
  WHERE g.id = wanted $$;

CREATE TYPE catalogue.token_facts AS (hash bytea, kind text, scope text, issued_at timestamptz, expires_at timestamptz,
  used_at timestamptz, revoked_at timestamptz, sealed bytea, certificate bytea, grant_id uuid, pairing_id uuid,
  subject uuid, person uuid, grant_scope text, grant_expires_at timestamptz, grant_revoked_at timestamptz, app_id uuid,
  client_id text, app_status text, app_name text, profile text, consented text, waits_for_answer boolean,
  in_sandbox boolean, tested_application uuid, secret_hash bytea, former_secret_hash bytea,
  former_secret_until timestamptz);
CREATE TYPE catalogue.code_facts AS (hash bytea, redirect_uri text, code_challenge text, expires_at timestamptz,
  used_at timestamptz, grant_id uuid, pairing_id uuid, subject uuid, person uuid, grant_scope text,
  grant_expires_at timestamptz, grant_revoked_at timestamptz, app_id uuid, client_id text, app_status text, app_name text,
  profile text, consented text, waits_for_answer boolean, in_sandbox boolean, tested_application uuid, secret_hash bytea,
  former_secret_hash bytea, former_secret_until timestamptz);

-- Access or refresh token by its hash, to check it. In PL/pgSQL, which keeps its plan at less cost than SQL. Every row is
-- found by a key: a plan that reads small tables whole takes twice the time, and is kept while they grow.
CREATE FUNCTION catalogue.grant_of_token(wanted bytea, at timestamptz) RETURNS SETOF catalogue.token_facts
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
  RETURN QUERY SELECT t.hash, t.kind, t.scope, t.issued_at, t.expires_at, t.used_at, t.revoked_at, t.sealed, t.certificate,
    g.* FROM catalogue.token t CROSS JOIN LATERAL catalogue.grant_at(t.grant_id, at) g WHERE t.hash = wanted;
END $$;

-- Token or code by its hash, to consume it: locks its row, then opens its space for the rest of the transaction. The row
-- is read by a second statement, so that it shows what whoever held the lock before has done.
CREATE FUNCTION catalogue.open_token(wanted bytea, at timestamptz) RETURNS SETOF catalogue.token_facts
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE space uuid;
BEGIN
  SELECT subject INTO space FROM catalogue.token WHERE hash = wanted FOR UPDATE;
  IF FOUND THEN
    PERFORM set_config('app.space', space::text, true);
    RETURN QUERY SELECT * FROM catalogue.grant_of_token(wanted, at);
  END IF;
END $$;
CREATE FUNCTION catalogue.open_code(wanted bytea, at timestamptz) RETURNS SETOF catalogue.code_facts
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE space uuid;
BEGIN
  SELECT subject INTO space FROM catalogue.authorization_code WHERE hash = wanted FOR UPDATE;
  IF FOUND THEN
    PERFORM set_config('app.space', space::text, true);
    RETURN QUERY SELECT c.hash, c.redirect_uri, c.code_challenge, c.expires_at, c.used_at, g.*
      FROM catalogue.authorization_code c CROSS JOIN LATERAL catalogue.grant_at(c.grant_id, at) g WHERE c.hash = wanted;
  END IF;
END $$;

-- A refresh, with the rights of who calls: the refresh token is used up (`kept_until` NULL: `successors` are what a
-- repetition is answered with) or goes on until then, and an access token comes, and where it was used up another refresh
-- token. Returns the grant; no row, and nothing is written, where somebody else used it a moment before.
CREATE FUNCTION catalogue.refreshed_token(wanted bytea, space uuid, at timestamptz, kept_until timestamptz,
    successors bytea, access_hash bytea, access_scope text, access_until timestamptz, access_certificate bytea,
    refresh_hash bytea, refresh_scope text, refresh_until timestamptz) RETURNS SETOF uuid
  LANGUAGE plpgsql AS $$
DECLARE family uuid;
BEGIN
  PERFORM pg_catalog.set_config('app.space', space::text, true);
  IF kept_until IS NOT NULL THEN
    UPDATE catalogue.token SET expires_at = kept_until
      WHERE hash = wanted AND kind = 'refresh' AND used_at IS NULL AND revoked_at IS NULL RETURNING grant_id INTO family;
  ELSE
    UPDATE catalogue.token SET used_at = at, sealed = successors
      WHERE hash = wanted AND kind = 'refresh' AND used_at IS NULL AND revoked_at IS NULL RETURNING grant_id INTO family;
  END IF;
  IF family IS NULL THEN
    RETURN;
  END IF;
  INSERT INTO catalogue.token (hash, kind, grant_id, subject, scope, issued_at, expires_at, certificate)
    VALUES (access_hash, 'access', family, space, access_scope, at, access_until, access_certificate);
  IF refresh_hash IS NOT NULL THEN
    INSERT INTO catalogue.token (hash, kind, grant_id, subject, scope, issued_at, expires_at)
      VALUES (refresh_hash, 'refresh', family, space, refresh_scope, at, refresh_until);
  END IF;
  RETURN NEXT family;
END $$;

REVOKE ALL ON FUNCTION catalogue.grant_at(uuid, timestamptz), catalogue.grant_of_token(bytea, timestamptz),
  catalogue.open_token(bytea, timestamptz), catalogue.open_code(bytea, timestamptz),
  catalogue.refreshed_token(bytea, uuid, timestamptz, timestamptz, bytea, bytea, text, timestamptz, bytea, bytea, text,
    timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue.grant_of_token(bytea, timestamptz), catalogue.open_token(bytea, timestamptz),
  catalogue.open_code(bytea, timestamptz),
  catalogue.refreshed_token(bytea, uuid, timestamptz, timestamptz, bytea, bytea, text, timestamptz, bytea, bytea, text,
    timestamptz) TO gateway_app;
