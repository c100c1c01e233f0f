"""Bluetooth LE health devices, through bleak's public API: scan, bond, read records."""
