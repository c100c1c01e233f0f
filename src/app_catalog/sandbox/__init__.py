"""Simulated patients of a vendor, in whose spaces its apps can be run before they are decided about."""
