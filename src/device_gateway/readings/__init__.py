"""Readings: the value type, its identity, storing, reading back."""
