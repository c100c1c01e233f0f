"""A virtual Bluetooth LE radio: the air in a process of its own, and a bleak backend that joins it."""
