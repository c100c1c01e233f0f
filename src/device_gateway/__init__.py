"""The data plane: devices, readings, the patient's space, and who may see it."""
