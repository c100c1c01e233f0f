-- Vendors as organisations: members with roles, invitations, a contact that answers, and spaces of simulated patients.

-- `contact` is what patients and reviewers are shown; `contact_email` gets our mail, once it was shown to be theirs.
ALTER TABLE catalogue.vendor
  ADD COLUMN contact_email text,
  ADD COLUMN contact_verified_at timestamptz,   -- NULL: nobody has followed the link that was sent to contact_email
  ADD COLUMN oid text UNIQUE;                   -- the organisation's own, without urn:oid:
GRANT UPDATE (contact, contact_email, contact_verified_at, oid) ON catalogue.vendor TO gateway_app;

-- Whoever was a member before there were roles could do everything: an owner.
ALTER TABLE catalogue.vendor_member
  ADD COLUMN role text NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'developer', 'viewer')),
  ADD COLUMN display_name text NOT NULL DEFAULT '',   -- as the person was called when they joined
  ADD COLUMN left_at timestamptz;
ALTER TABLE catalogue.vendor_member ALTER COLUMN role DROP DEFAULT;
GRANT UPDATE (role, display_name, added_at, left_at) ON catalogue.vendor_member TO gateway_app;

-- Each opens the organisation once, to whoever has the link and signs in as a vendor.
CREATE TABLE catalogue.vendor_invitation (
  id uuid PRIMARY KEY,
  hash bytea NOT NULL UNIQUE,                   -- SHA-256 of what is in the link
  vendor_id uuid NOT NULL REFERENCES catalogue.vendor,
  email text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'developer', 'viewer')),
  invited_by uuid NOT NULL,
  invited_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  accepted_by uuid,
  accepted_at timestamptz,
  withdrawn_at timestamptz
);
CREATE INDEX ON catalogue.vendor_invitation (vendor_id, created_at);

-- A link that was sent to an address, to find out whether it is the vendor's.
CREATE TABLE catalogue.contact_check (
  hash bytea PRIMARY KEY,                       -- SHA-256 of what is in the link
  vendor_id uuid NOT NULL REFERENCES catalogue.vendor,
  email text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX ON catalogue.contact_check (vendor_id, created_at);

-- Everything that was done to an organisation, dated; never updated.
CREATE TABLE catalogue.vendor_step (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  vendor_id uuid NOT NULL REFERENCES catalogue.vendor,
  step text NOT NULL,
  actor uuid,                                   -- NULL: whoever had the link to the contact's mailbox
  actor_name text NOT NULL,
  about text,                                   -- a person, an address, an OID
  role text,
  at timestamptz NOT NULL
);
CREATE INDEX ON catalogue.vendor_step (vendor_id, id);

-- Simulated patients: a candidate of the same vendor works in their spaces, and nowhere else.
CREATE TABLE catalogue.sandbox_space (
  subject uuid PRIMARY KEY,                     -- a space of the host
  vendor_id uuid NOT NULL REFERENCES catalogue.vendor,
  name text NOT NULL,
  username text NOT NULL,
  created_by uuid NOT NULL,
  created_by_name text NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX ON catalogue.sandbox_space (vendor_id);

GRANT SELECT, INSERT ON catalogue.vendor_invitation, catalogue.contact_check, catalogue.vendor_step,
  catalogue.sandbox_space TO gateway_app;
GRANT UPDATE (accepted_by, accepted_at, withdrawn_at) ON catalogue.vendor_invitation TO gateway_app;
GRANT UPDATE (used_at) ON catalogue.contact_check TO gateway_app;
GRANT UPDATE (ended_at) ON catalogue.sandbox_space TO gateway_app;
