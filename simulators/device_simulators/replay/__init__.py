"""A device played from a recording of a GATT session."""
