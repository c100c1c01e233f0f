"""Patient: the one of the access token, by the id that the app knows, and nothing else of them.

It is what ``fhirUser`` and ``patient`` of SMART App Launch point at. Name, birth date and national identifier are not
in it. ``Patient.link`` is not supported: a token never opens more than one Patient (SMART 2.2 @139).
"""

import json
from typing import Final

from device_gateway.access import OTHER_PATIENT, Deny, PatientOf, Permit, decide
from device_gateway.fhir.bundle import entry, ignored_entry, searchset
from device_gateway.fhir.errors import NoSuchResource
from device_gateway.fhir.search_request import parse_search
from device_gateway.fhir.served import R4, Answer, Asking, Parameter, SearchInput, ServedType, answer_of
from device_gateway.journal import EventName


def patient_text(asking: Asking) -> str:
    """JSON text of the Patient, as this app may see it."""
    return json.dumps({"resourceType": "Patient", "id": asking.patient_id, "active": True})


async def read(asking: Asking, identifier: str) -> Answer:
    """The id of another patient is unknown to this app, and looks so."""
    own = identifier == asking.patient_id
    decision = decide(asking.app, "read", PatientOf(asking.app.grant.subject)) if own else Deny(OTHER_PATIENT)
    await asking.journal(EventName.APP_READ_PATIENT, decision, resource="Patient", quantity=1)
    return Answer(patient_text(asking).encode()) if isinstance(decision, Permit) else answer_of(NoSuchResource())


async def search(asking: Asking, given: SearchInput) -> Answer:
    request = parse_search(PATIENT, given, asking.base_url)
    own = all(
        any(token.system is None and token.code == asking.patient_id for token in alternatives)
        for alternatives in request.tokens.get("_id", ())
    )
    decision = decide(asking.app, "search", PatientOf(asking.app.grant.subject)) if own else Deny(OTHER_PATIENT)
    await asking.journal(EventName.APP_READ_PATIENT, decision, resource="Patient", quantity=1)
    url = f"{asking.base_url}/Patient"
    found = isinstance(decision, Permit)
    entries = [entry(f"{url}/{asking.patient_id}", patient_text(asking), "match")] if found and request.count else []
    if request.ignored:
        entries.append(ignored_entry(request.ignored))
    total = int(found) if request.total or request.count_only else None
    return Answer(searchset(self_link=request.link(url, request.page), total=total, entries=entries))


PATIENT: Final = ServedType(
    name="Patient",
    documentation="The patient of the access token, by id only. Patient.link is not supported.",
    read=read,
    search=search,
    parameters=(Parameter("_id", "token", "Logical id.", f"{R4}/Resource-id"),),
)
