"""What only time shows of a scenario, found by a job: nobody has to look, and the vendor is told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from app_catalog.catalogue.apps import tested_app
from app_catalog.catalogue.vendor_letter import Letter, tell_vendor
from app_catalog.interoperability.run import locked_run, settle_run
from app_catalog.interoperability.scenario import Outcome, Scenario
from app_catalog.wiring import Connection, Mail

OPEN: Final = "SELECT id FROM catalogue.scenario_run WHERE outcome IS NULL ORDER BY armed_at, id"

SCENARIOS: Final[Mapping[Scenario, tuple[str, str]]] = {
    Scenario.HAPPY_PATH: ("Tout se passe bien", "Everything goes well"),
    Scenario.WRONG_STATE: ("La réponse porte un autre state", "The answer has another state"),
    Scenario.WRONG_ISSUER: ("La réponse nomme un autre serveur", "The answer names another server"),
    Scenario.DENIED: ("Le patient refuse", "The patient refuses"),
    Scenario.UNAVAILABLE: ("Le serveur est absent pendant un renouvellement", "The server is away during a refresh"),
    Scenario.EXPIRED: ("Le jeton d’accès a expiré", "The access token has expired"),
    Scenario.REVOKED: ("Le patient déconnecte l’application", "The patient disconnects the app"),
}
OUTCOMES: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.PASSED: ("réussi", "passed"),
    Outcome.FAILED: ("échoué", "failed"),
    Outcome.TIMED_OUT: ("terminé sans résultat", "ended without a result"),
}


async def settle_runs(connection: Connection, mail: Mail, now: datetime) -> int:
    """End the runs of which time has shown the result, each once, whoever else does it; returns how many."""
    ended = 0
    for row in await (await connection.execute(OPEN)).fetchall():
        async with connection.transaction():
            ended += await _settle(connection, mail, row.id, now)
    return ended


async def _settle(connection: Connection, mail: Mail, run_id: UUID, now: datetime) -> bool:
    run = await locked_run(connection, run_id)
    outcome = await settle_run(connection, run, now) if run is not None else None
    if run is None or outcome is None:
        return False
    app = await tested_app(connection, run.app_id)
    if app is not None and app.application_id == run.application_id:  # its tests still matter to somebody
        await tell_vendor(connection, mail, app, _letter(run.scenario, outcome))
    return True


def _letter(scenario: Scenario, outcome: Outcome) -> Letter:
    (name_fr, name_en), (outcome_fr, outcome_en) = SCENARIOS[scenario], OUTCOMES[outcome]
    return Letter(
        "{app}\u00a0: un scénario des tests d’interopérabilité est terminé",
        "{app}: a scenario of the interoperability tests has ended",
        f"Le scénario «\u00a0{name_fr}\u00a0» de {{app}} est terminé\u00a0: {outcome_fr}. Ce qui a été vu est sur la "
        "page des tests, dans votre compte.",
        f"The scenario “{name_en}” of {{app}} has ended: {outcome_en}. What was seen is on the page of the tests, in "
        "your account.",
    )
