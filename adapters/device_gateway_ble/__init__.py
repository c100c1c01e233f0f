"""Adapters for Bluetooth LE health devices: bytes of a characteristic in, readings out. No I/O."""
