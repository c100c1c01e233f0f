-- Which application a consent page showed: an answer counts for its words and for no later ones. NULL: asked by an earlier
-- version of the product, at most a quarter of an hour ago. Run by gateway_owner.
ALTER TABLE catalogue.authorization_request ADD COLUMN application_id uuid;
