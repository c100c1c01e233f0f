"""Organisations that make apps, and the people who act for them."""
