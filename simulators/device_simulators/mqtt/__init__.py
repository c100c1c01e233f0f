"""Simulated devices that speak MQTT."""
