"""The data plane: devices, readings, the patient's space, and who may see it."""

from importlib.metadata import version

__version__ = version("device-gateway")
