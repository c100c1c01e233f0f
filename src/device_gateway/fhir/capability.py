"""The CapabilityStatement, written from the table that routes requests: what is not served is not in it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from device_gateway import __version__
from device_gateway.fhir.search_request import RESULT_PARAMETERS
from device_gateway.fhir.served import Parameter, ServedType

FHIR_VERSION: Final = "4.0.1"
FORMATS: Final = ["application/fhir+json", "json"]
DATE: Final = "2026-11-22"  # when the statement last changed
OAUTH_URIS: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
# Child extension ▸ entry of the SMART configuration.
OAUTH_ENDPOINTS: Final = {
    "authorize": "authorization_endpoint",
    "token": "token_endpoint",
    "revoke": "revocation_endpoint",
    "introspect": "introspection_endpoint",
}


def capability_statement(
    served: Iterable[ServedType], base_url: str, smart: Mapping[str, Any]
) -> dict[str, Any]:  # Any: JSON
    """`smart` is the SMART configuration, from which clients of the older discovery are told the OAuth endpoints."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "software": {"name": "Device Gateway", "version": __version__},
        "implementation": {"description": "Readings of a patient's health devices, for approved apps", "url": base_url},
        "fhirVersion": FHIR_VERSION,
        "format": FORMATS,
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    "What an access token opens: the patient of the token and the metrics of purposes agreed to. "
                    "Everything else looks absent."
                ),
                "security": _security(smart),
                "resource": [_resource(each) for each in served],
                "searchParam": [_parameter(each) for each in RESULT_PARAMETERS],
            }
        ],
    }


def _security(smart: Mapping[str, Any]) -> dict[str, Any]:
    uris = [
        {"url": name, "valueUri": smart[endpoint]} for name, endpoint in OAUTH_ENDPOINTS.items() if endpoint in smart
    ]
    service = {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
                "display": "SMART-on-FHIR",
            }
        ]
    }
    return {"extension": [{"url": OAUTH_URIS, "extension": uris}], "cors": True, "service": [service]}


def _resource(served: ServedType) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "type": served.name,
        "documentation": served.documentation,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "versioned" if served.versioned else "no-version",
        "conditionalRead": "not-match" if served.versioned else "not-supported",
        "searchParam": [_parameter(each) for each in served.parameters],
    }
    if served.profiles:
        resource["supportedProfile"] = list(served.profiles)
    if served.includes:
        resource["searchInclude"] = list(served.includes)
    return resource


def _parameter(parameter: Parameter) -> dict[str, str]:
    definition = {"definition": parameter.definition} if parameter.definition else {}
    return {"name": parameter.name, "type": parameter.type, "documentation": parameter.documentation} | definition
