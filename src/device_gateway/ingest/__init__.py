"""From a broker's message to committed readings: decode ▸ locate ▸ place ▸ put ▸ answer."""
