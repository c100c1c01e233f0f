"""Approved apps: what they are, which status they have, and the public pages that show them."""
