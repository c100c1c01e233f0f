"""Simulated patients, for vendors to try their apps with before anybody real meets them."""
