"""Consents as FHIR R4: one Consent for each that was ever given, with what was read and when it ended.

Nothing of it depends on what an app says today: texts are those that were shown.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app_catalog.consents.history import GivenConsent
from app_catalog.scopes.grammar import Scope

TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
READING: Final = ("access", "Access")  # consentaction: the app retrieves or views
WRITING: Final = ("collect", "Collect")  # consentaction: what the app gives is gathered here
TITLES: Final = {"fr": "Ce qui a été lu et accepté", "en": "What was read and agreed to"}

Json = dict[str, Any]


def consents_as_fhir(given: Sequence[GivenConsent], subject: UUID, *, issuer: str, now: datetime) -> Json:
    """A Bundle of type ``collection`` with the patient, each vendor's organisation and every consent.

    issuer  public URL of the service, which names apps and purposes
    """
    vendors = {one.vendor.id: one.vendor for one in given}
    organisations = [
        {"resourceType": "Organization", "id": str(vendor.id), "name": vendor.name}
        | ({"identifier": [_identifier("urn:ietf:rfc:3986", f"urn:oid:{vendor.oid}")]} if vendor.oid else {})
        for vendor in vendors.values()
    ]
    patient: Json = {"resourceType": "Patient", "id": str(subject), "active": True}
    resources: list[Json] = [patient, *organisations, *(_consent(one, subject, issuer, now) for one in given)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _instant(now),
        "entry": [{"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources],
    }


def _consent(one: GivenConsent, subject: UUID, issuer: str, now: datetime) -> Json:
    patient = {"reference": f"urn:uuid:{subject}"}
    closed = {} if one.closed_at is None else {"end": _instant(one.closed_at)}
    return {
        "resourceType": "Consent",
        "id": str(one.id),
        "language": str(one.shown["language"]),
        "identifier": [_identifier("urn:ietf:rfc:3986", f"urn:uuid:{one.id}")],
        "status": "active" if one.is_open(now) else "inactive",
        "scope": _concept(f"{TERMINOLOGY}/consentscope", "patient-privacy", "Privacy Consent"),
        "category": [_concept("http://loinc.org", "59284-0", "Consent Document")],
        "patient": patient,
        "dateTime": _instant(one.given_at),
        "performer": [patient],
        "sourceAttachment": _as_shown(one),
        "policyRule": _concept(f"{TERMINOLOGY}/v3-ActCode", "OPTIN", "opt-in"),
        "verification": [{"verified": True, "verifiedWith": patient, "verificationDate": _instant(one.given_at)}],
        "provision": {
            "type": "permit",
            "period": {"start": _instant(one.given_at), "end": _instant(one.ends_at)} | closed,
            "actor": [_recipient(one, issuer)],
            "purpose": [
                {
                    "system": f"{issuer}/catalogue/apps/{one.app_id}#purposes",
                    "version": str(one.version),
                    "code": one.purpose.key,
                    "display": str(one.shown["purpose"]),
                }
            ],
            "provision": [
                *_exchanged(READING, one.purpose.reads.resources),
                *_exchanged(WRITING, one.purpose.writes.resources),
            ],
        },
    }


def _recipient(one: GivenConsent, issuer: str) -> Json:
    """The vendor's organisation, named with its app: who receives what is consented to."""
    return {
        "role": _concept(f"{TERMINOLOGY}/v3-ParticipationType", "IRCP", "information recipient"),
        "reference": {
            "reference": f"urn:uuid:{one.vendor.id}",
            "type": "Organization",
            "identifier": _identifier(f"{issuer}/catalogue/apps", str(one.app_id)),
            "display": f"{one.shown['app']} ({one.shown['vendor']})",
        },
    }


def _exchanged(action: tuple[str, str], scopes: Iterable[Scope]) -> list[Json]:
    """One provision for each scope: the type of the resources, and their codes where they are named."""
    provisions = []
    for scope in scopes:
        codes = [
            token.rpartition("|")[::2]
            for constraint in scope.constraints
            if constraint.parameter == "code"
            for token in constraint.values
        ]
        provision: Json = {
            "type": "permit",
            "action": [_concept(f"{TERMINOLOGY}/consentaction", *action)],
            "class": [{"system": "http://hl7.org/fhir/resource-types", "code": scope.resource_type}],
        }
        if scope.resource_type == "*":
            del provision["class"]
        if codes:
            provision["code"] = [{"coding": [_coding(system, code)]} for system, code in codes]
        provisions.append(provision | {"extension": [_scope(scope)]})
    return provisions


def _scope(scope: Scope) -> Mapping[str, str]:
    """The exact scope: FHIR has no element for what limits it by category or by the name of a value set."""
    return {"url": "http://smarthealthit.org/fhir/scopes", "valueString": str(scope)}


def _as_shown(one: GivenConsent) -> Json:
    shown = one.shown
    lines = [str(shown["purpose"]), str(shown["text"])]
    for mark, key in (("<-", "reads"), ("->", "writes")):
        lines += [f"{mark} {line}" for line in shown[key]]
    data = base64.b64encode("\n".join(lines).encode()).decode()
    language = str(shown["language"])
    return {
        "contentType": "text/plain; charset=utf-8",
        "language": language,
        "data": data,
        "title": TITLES.get(language, TITLES["en"]),
        "creation": _instant(one.given_at),
    }


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _coding(system: str, code: str) -> Json:
    return {"code": code} | ({"system": system} if system else {})


def _identifier(system: str, value: str) -> Json:
    return {"system": system, "value": value}


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
