"""`device-gateway demo`: the whole product on embedded parts, with simulated devices and two sample apps."""

from device_simulators.demo.command import demo

__all__ = ["demo"]
