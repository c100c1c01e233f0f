"""FHIR R4 REST: what an approved app reads of a patient's readings."""

from device_gateway.fhir.router import error_response, router

__all__ = ["error_response", "router"]
