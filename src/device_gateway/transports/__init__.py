"""How bytes travel: MQTT, Bluetooth LE, and the spool in between."""
