-- A space's chain is begun once, and not tried to be begun with each entry.

CREATE OR REPLACE FUNCTION gateway.journal_append(p_space uuid, p_event text, p_actor_kind text, p_actor_id text,
    p_actor_name text, p_purpose text, p_resource text, p_quantity int, p_outcome text, p_reason text, p_details jsonb)
  RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE
  chain uuid := coalesce(p_space, '00000000-0000-0000-0000-000000000000');
  row journal;
BEGIN
  IF p_space IS DISTINCT FROM app_space() AND p_space IS NOT NULL THEN
    RAISE EXCEPTION 'journal of another space' USING ERRCODE = 'insufficient_privilege';
  END IF;
  LOOP
    SELECT chain, h.n + 1, clock_timestamp(), p_event, p_actor_kind, p_actor_id, p_actor_name, p_purpose, p_resource,
        p_quantity, p_outcome, p_reason, p_details, h.hash, NULL
      INTO row FROM journal_head h WHERE h.space_id = chain FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO journal_head VALUES (chain, 0, sha256(uuid_send(chain))) ON CONFLICT DO NOTHING;
  END LOOP;
  row.hash := journal_hash(row);
  INSERT INTO journal SELECT row.*;
  UPDATE journal_head SET n = row.n, hash = row.hash WHERE space_id = chain;
  RETURN row.n;
END $$;
