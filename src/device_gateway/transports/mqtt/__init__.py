"""MQTT through paho: a consumer that acknowledges when it is told to."""
