"""The MQTT broker: the embedded one, who may connect and what to, and files for Mosquitto."""
