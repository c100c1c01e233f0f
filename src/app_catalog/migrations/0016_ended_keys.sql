-- An access key that has ended works never again, whoever asks. Run by gateway_owner.
CREATE TRIGGER ended_at_for_good BEFORE UPDATE OF ended_at ON catalogue.access_key FOR EACH ROW
  WHEN (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
  EXECUTE FUNCTION catalogue.stays_closed();
