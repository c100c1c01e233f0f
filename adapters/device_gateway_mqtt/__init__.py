"""Adapters for MQTT: payloads of a dialect in, readings out. No I/O."""
