"""Everything that a program can ask for: the routes, and the description that vendors generate their clients from."""

from typing import Final

from app_catalog.api import (
    applications,
    apps,
    circle,
    client,
    files,
    life,
    organisation,
    review,
    reviewers,
    sandbox,
    scenarios,
)
from app_catalog.api.described import DocumentShown, Sections
from app_catalog.api.model import Page, Paging
from app_catalog.api.operation import Operation

_V: Final = "/api/catalogue/vendor"
_R: Final = "/api/catalogue/review"
_APP: Final = f"{_V}/apps/{{app_id}}"
_APPLICATION: Final = f"{_V}/applications/{{application_id}}"
_REVIEWED: Final = f"{_R}/applications/{{application_id}}"
Shown: Final = applications.ApplicationShown

OPERATIONS: Final = (
    Operation(
        "GET", _V, organisation.organisation, "The organisation, and what the key may do", organisation.Organisation
    ),
    Operation("GET", f"{_V}/members", organisation.members, "Members of the organisation", organisation.Members),
    # ---- apps and applications ----
    Operation("GET", f"{_V}/apps", apps.apps, "Apps of the organisation", Page[apps.AppShown], query=Paging),
    Operation(
        "POST", f"{_V}/apps", applications.new_app, "Begin a new app: its first application, a draft", Shown,
        applications.NewApp, status=201,
    ),
    Operation("GET", _APP, apps.app, "An app: status, agreement, applications that count", apps.AppShown),
    Operation(
        "POST", f"{_APP}/versions", applications.new_version, "Begin a new version: a draft, copied", Shown,
        applications.NewVersion, status=201,
    ),
    Operation(
        "GET", f"{_V}/applications", applications.applications, "Applications, the newest first",
        Page[applications.ApplicationLine], query=applications.Wanted,
    ),
    Operation("GET", _APPLICATION, applications.application, "An application, whole", Shown),
    Operation(
        "PATCH", _APPLICATION, applications.change, "Replace sections of a draft", Shown, Sections, conditional=True
    ),
    Operation(
        "POST", f"{_APPLICATION}/submit", applications.submit, "Hand a draft in, for good", Shown, conditional=True
    ),
    Operation(
        "POST", f"{_APPLICATION}/withdraw", applications.take_back,
        "Discard a draft, or withdraw what waits for a decision", status=204,
    ),
    Operation(
        "POST", f"{_APPLICATION}/documents", files.new_document, "Add a document to a draft: PDF, PNG, JPEG or text",
        DocumentShown, files.DOCUMENT, files.NewDocument, 201,
    ),
    Operation("GET", f"{_APPLICATION}/documents/{{document_id}}", files.document, "A document's bytes", "*/*"),
    Operation(
        "DELETE", f"{_APPLICATION}/documents/{{document_id}}", files.remove, "Take a document out of a draft",
        status=204,
    ),
    Operation("GET", f"{_APPLICATION}/logo", files.logo, "The logo", "image/png"),
    Operation(
        "PUT", f"{_APPLICATION}/logo", files.new_logo, "Set the logo of a draft: PNG, JPEG, WebP or GIF",
        body=files.LOGO, status=204,
    ),
    Operation("DELETE", f"{_APPLICATION}/logo", files.remove_logo, "Take the logo away from a draft", status=204),
    # ---- the review, and tests of the client ----
    Operation("GET", f"{_APPLICATION}/review", review.review, "The review: steps, questions, agreement", review.Review),
    Operation(
        "POST", f"{_APPLICATION}/questions/{{question_id}}/answer", review.answer, "Answer a question of the reviewers",
        review.Review, review.NewAnswer,
    ),
    Operation(
        "GET", f"{_APPLICATION}/interoperability", scenarios.interoperability, "What was seen of the client",
        scenarios.Interoperability,
    ),
    Operation(
        "POST", f"{_APPLICATION}/runs", scenarios.new_run, "Arm a scenario for a simulated patient", scenarios.Run,
        scenarios.NewRun, status=201,
    ),
    Operation("GET", f"{_APPLICATION}/runs/{{run_id}}", scenarios.run, "A run, as far as it went", scenarios.Run),
    Operation("DELETE", f"{_APPLICATION}/runs/{{run_id}}", scenarios.end_run, "Cancel a run", status=204),
    Operation("GET", f"{_V}/patients", sandbox.patients, "Simulated patients", sandbox.Patients),
    Operation(
        "POST", f"{_V}/patients", sandbox.new_patient, "Make a simulated patient", sandbox.MadePatient,
        sandbox.NewPatient, status=201, secret=True,
    ),
    Operation(
        "POST", f"{_V}/patients/{{patient_id}}/reset", sandbox.reset, "Disconnect every app, simulate days anew",
        status=204,
    ),
    Operation("DELETE", f"{_V}/patients/{{patient_id}}", sandbox.end, "End a simulated patient, for good", status=204),
    # ---- the client ----
    Operation("GET", f"{_APP}/client", client.client, "The OAuth client as it is registered", client.ClientShown),
    Operation(
        "PUT", f"{_APP}/client/credentials", client.new_credentials, "Register other keys, or another certificate",
        client.ClientShown, client.Credentials,
    ),
    Operation(
        "POST", f"{_APP}/client/secret", client.new_secret, "A new secret; the former one works for 24 hours more",
        client.Secret, client.NewSecret, status=201, secret=True,
    ),
    Operation(
        "POST", f"{_APP}/client/initial-token", client.new_initial_token, "A token to register a candidate's client",
        client.InitialToken, status=201, secret=True,
    ),
    Operation(
        "GET", f"{_APP}/client/notification", client.notification, "Where you are told that access ended",
        client.Notification,
    ),
    Operation(
        "PUT", f"{_APP}/client/notification", client.new_address, "Set that address, or none", client.Notification,
        client.Address,
    ),
    # ---- life in service ----
    Operation("GET", f"{_APP}/life", life.life, "Decisions, audits, objections, renewals", life.Life),
    Operation(
        "POST", f"{_APP}/complaints", life.new_complaint, "Object to a decision", life.Life, life.NewComplaint,
        status=201,
    ),
    Operation(
        "POST", f"{_V}/audits/{{audit_id}}/answer", life.answer, "Answer an audit", life.Life, life.AuditAnswer
    ),
    Operation("GET", f"{_APP}/invitations", circle.circle, "Links into the circle of a pre-series", circle.Circle),
    Operation(
        "POST", f"{_APP}/invitations", circle.new_invitation, "A link for first users", circle.MadeInvitation,
        circle.NewInvitation, status=201, secret=True,
    ),
    Operation("DELETE", f"{_APP}/invitations/{{name}}", circle.end, "End a link; who joined by it stays", status=204),
    # ---- reviewers ----
    Operation(
        "GET", f"{_R}/applications", reviewers.queue, "What waits for a decision", Page[reviewers.Waiting],
        query=Paging, kind="reviewer",
    ),
    Operation(
        "GET", _REVIEWED, reviewers.dossier, "An application in review, for who declared no interest",
        reviewers.DossierShown, kind="reviewer",
    ),
    Operation(
        "GET", f"{_REVIEWED}/documents/{{document_id}}", reviewers.document, "A document of it", "*/*",
        kind="reviewer",
    ),
)  # fmt: skip
