"""Simulated patients of a vendor, for its tests: made, reset, ended."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app_catalog.api.model import Instant, Model
from app_catalog.api.operation import Call, Created
from app_catalog.api.own import role_of_program
from app_catalog.sandbox.simulated import end_patient, open_patient, reset_patient, simulated_patients

PATH = "/api/catalogue/vendor/patients"


class Patient(Model):
    id: UUID
    name: str
    username: str
    made_by: str
    made_at: Instant


class Patients(Model):
    items: tuple[Patient, ...]


class NewPatient(Model):
    name: str
    language: Literal["fr", "en"] = "en"


class MadePatient(Model):
    id: UUID
    username: str
    password: str = Field(description="In this answer only. Its readings are there a few seconds later.")


async def patients(call: Call) -> Patients:
    await role_of_program(call)
    rows = await simulated_patients(call.connection, call.vendor_id)
    return Patients(
        items=tuple(
            Patient(
                id=row.subject, name=row.name, username=row.username, made_by=row.created_by_name,
                made_at=row.created_at,
            )
            for row in rows
        )
    )  # fmt: skip


async def new_patient(call: Call) -> Created:
    body: NewPatient = call.body
    made = await open_patient(
        call.connection, call.vendor_id, body.name, body.language, sandbox=call.wiring.sandbox, **call.doing
    )
    shown = MadePatient(id=made.subject, username=made.username, password=made.password)
    return Created(shown, f"{PATH}/{made.subject}")


async def reset(call: Call) -> None:
    """Every app is disconnected, and two weeks are simulated anew, up to now."""
    await reset_patient(call.connection, call.vendor_id, call.id("patient_id"), **_with_planes(call))


async def end(call: Call) -> None:
    await end_patient(call.connection, call.vendor_id, call.id("patient_id"), **_with_planes(call))


def _with_planes(call: Call) -> dict[str, Any]:
    return call.doing | {"sandbox": call.wiring.sandbox, "data_plane": call.wiring.data_plane}
