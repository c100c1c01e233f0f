"""Bluetooth LE devices as real GATT servers, each in a process of its own."""
