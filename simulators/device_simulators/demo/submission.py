"""Submitting an application with all that the form asks for, said by a vendor who has nothing to hide."""

from dataclasses import replace
from typing import Any

import app_catalog
from app_catalog import Answer, Application, Published, Submitted, Upload
from device_simulators.demo.contact import confirmed

PUBLISHED = Published(
    links={
        "site": "https://vendor.example/",
        "terms": "https://vendor.example/terms",
        "privacy": "https://vendor.example/privacy",
        "support": "https://vendor.example/support",
    },
    themes=("GESTION",),
)
ASSESSMENT = Upload("dpia.txt", b"Simulated impact assessment: no risk remains.\n")
JUSTIFICATION = "The purpose cannot be reached with less."


async def submit(connection: Any, application: Application, **options: Any) -> Submitted:
    """`submit_application` with every criterion met, an impact assessment, what `application` leaves out, and a contact
    that is confirmed."""
    await confirmed(
        connection, options["vendor_id"], person=options["person"], journal=options["journal"], now=options["now"]
    )
    criteria = await app_catalog.current_set(connection)
    given = {
        "answers": {one.code: Answer("met", "As asked; shown to the reviewers.") for one in criteria.criteria},
        "documents": [("impact_assessment", ASSESSMENT)],
        **options,
    }
    return await app_catalog.submit_application(connection, complete(application), **given)


def complete(application: Application) -> Application:
    """`application` with links, a theme and justifications, where it has none."""
    return replace(
        application,
        published=application.published if application.published.links else PUBLISHED,
        purposes=tuple(replace(one, justification=one.justification or JUSTIFICATION) for one in application.purposes),
    )
