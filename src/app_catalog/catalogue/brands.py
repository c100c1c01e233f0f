"""``/brands.json``: the User-access Brands Bundle of SMART App Launch 2.2, for who collects servers to connect to."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app_catalog.catalogue.brand import Brand
from app_catalog.catalogue.cached import cached
from app_catalog.wiring import Wiring

PATH: Final = "/brands.json"
MEDIA_TYPE: Final = "application/fhir+json"
KEPT: Final = "public, max-age=3600"  # who collects brands comes daily; a wrong address is gone within the hour
PROFILE: Final = "http://hl7.org/fhir/smart-app-launch/StructureDefinition/user-access-"
EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/"
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
CATEGORY: Final = "http://hl7.org/fhir/smart-app-launch/CodeSystem/user-access-category"
FHIR_VERSION: Final = "4.0.1"
ENDPOINT: Final = "fhir"
ORGANIZATION: Final = "brand"


async def brands(wiring: Wiring, request: Request) -> Response:
    if wiring.brand is None:
        return Response(status_code=404)
    body = json.dumps(bundle(wiring.brand, wiring.issuer, wiring.fhir_url), ensure_ascii=False).encode()
    return cached(request, body, MEDIA_TYPE, control=KEPT)


def bundle(brand: Brand, issuer: str, fhir_url: str) -> dict[str, Any]:
    """The brand and its one endpoint, which it references."""
    resources = (organization(brand), endpoint(brand, fhir_url))
    return {
        "resourceType": "Bundle",
        "id": "brands",
        "meta": _meta("brands-bundle", brand.changed),
        "type": "collection",
        "timestamp": brand.changed.isoformat(),
        "entry": [
            {"fullUrl": f"{issuer}/{resource['resourceType']}/{resource['id']}", "resource": resource}
            for resource in resources
        ],
    }


def organization(brand: Brand) -> dict[str, Any]:
    """The profile "user-access-brand". What the brand does not say is left out."""
    reference = {"reference": f"Endpoint/{ENDPOINT}"}
    described = {
        "resourceType": "Organization",
        "id": ORGANIZATION,
        "meta": _meta("brand", brand.changed),
        "extension": list(_extensions(brand, reference)),
        "identifier": [{"system": system, "value": value} for system, value in brand.identifiers],
        "active": True,
        "type": [{"coding": [{"system": CATEGORY, "code": category}]} for category in brand.categories],
        "name": brand.name,
        "alias": list(brand.aliases),
        "telecom": [{"system": "url", "value": brand.website}],
        "address": list(brand.addresses),
        "endpoint": [reference],
    }
    return {name: value for name, value in described.items() if value}


def endpoint(brand: Brand, fhir_url: str) -> dict[str, Any]:
    """The profile "user-access-endpoint"."""
    return {
        "resourceType": "Endpoint",
        "id": ENDPOINT,
        "meta": _meta("endpoint", brand.changed),
        "extension": [{"url": f"{EXTENSION}endpoint-fhir-version", "valueCode": FHIR_VERSION}],
        "status": "active",
        "connectionType": {"system": f"{TERMINOLOGY}endpoint-connection-type", "code": "hl7-fhir-rest"},
        "name": f"{brand.endpoint_name}, {brand.name}",
        "managingOrganization": {"reference": f"Organization/{ORGANIZATION}"},
        "contact": [{"system": "url", "value": brand.developer_url or brand.website}],
        "payloadType": [{"coding": [{"system": f"{TERMINOLOGY}endpoint-payload-type", "code": "none"}]}],
        "address": fhir_url,
    }


def _extensions(brand: Brand, endpoint_reference: dict[str, str]) -> Iterator[dict[str, Any]]:
    branding = _parts(
        ("brandLogo", "valueUrl", brand.logo),
        ("brandLogoLicense", "valueUrl", brand.logo_license),
        ("brandBundle", "valueUrl", brand.brand_bundle),
    )
    if branding:
        yield {"url": f"{EXTENSION}organization-brand", "extension": branding}
    portal = _parts(
        ("portalName", "valueString", brand.portal_name),
        ("portalDescription", "valueMarkdown", brand.portal_description),
        ("portalUrl", "valueUrl", brand.portal_url),
        ("portalLogo", "valueUrl", brand.portal_logo),
        ("portalLogoLicense", "valueUrl", brand.portal_logo_license),
    )
    portal.append({"url": "portalEndpoint", "valueReference": endpoint_reference})
    yield {"url": f"{EXTENSION}organization-portal", "extension": portal}


def _parts(*told: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [{"url": url, element: value} for url, element, value in told if value]


def _meta(profile: str, changed: datetime) -> dict[str, Any]:
    return {"lastUpdated": changed.isoformat(), "profile": [PROFILE + profile]}
