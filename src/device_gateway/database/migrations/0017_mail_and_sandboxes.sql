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
