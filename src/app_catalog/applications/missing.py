"""Everything that keeps an application from being submitted, from all of its parts."""

from collections.abc import Iterable, Mapping

from app_catalog.applications import application as description
from app_catalog.applications.application import Application
from app_catalog.criteria import answers as criteria_answers
from app_catalog.criteria.answers import Answer
from app_catalog.criteria.criterion import CriteriaSet
from app_catalog.documents.document import IMPACT_ASSESSMENT, Document
from app_catalog.errors import Fault


def missing(
    application: Application,
    answers: Mapping[str, Answer],
    documents: Iterable[Document],
    criteria: CriteriaSet,
    *,
    follows: bool,
) -> list[Fault]:
    """In the order of the form; none for an application that may be submitted. `follows`: a version is in force."""
    faults = list(description.faults_of(application, follows=follows))
    if application.exchanges_data and all(document.kind != IMPACT_ASSESSMENT for document in documents):
        faults.append(Fault("/documents", "An app that exchanges data needs an impact assessment."))
    return faults + list(criteria_answers.faults_of(answers, criteria, exchanges_data=application.exchanges_data))
