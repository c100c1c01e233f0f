"""BlueZ, the Bluetooth stack of Linux, where bleak leaves it to us: pairing, its going away, its words for errors."""
