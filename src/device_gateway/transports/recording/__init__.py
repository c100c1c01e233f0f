"""Recordings of GATT sessions: what a Bluetooth device and the gateway said to each other, octet by octet."""
