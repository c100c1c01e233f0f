"""The apps that a patient is connected with, for the patient's own page."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app_catalog.catalogue.apps import App, Purpose, purpose_from
from app_catalog.catalogue.history import Moment, history_of
from app_catalog.catalogue.status import Status
from app_catalog.consents.reapproval import Question, open_questions
from app_catalog.sandbox.tested import app_connected
from app_catalog.space import space
from app_catalog.wiring import Connection

# Connected: something is consented to, or a grant is alive (never without a consent; if it were, it should be seen).
CONNECTED = """SELECT p.id, p.app_id, p.created_at, p.answered_at,
    (SELECT max(t.issued_at) FROM catalogue.token t JOIN catalogue.access_grant g ON g.id = t.grant_id
      WHERE g.pairing_id = p.id) AS last_token_at,
    EXISTS (SELECT FROM catalogue.access_grant g JOIN catalogue.token t ON t.grant_id = g.id
      WHERE g.pairing_id = p.id AND g.revoked_at IS NULL AND t.kind = 'refresh' AND t.used_at IS NULL
        AND t.revoked_at IS NULL AND t.expires_at > %(now)s) AS stays_connected,
    (SELECT jsonb_agg(to_jsonb(u) || jsonb_build_object('given_at', c.given_at, 'ends_at', c.ends_at)
        ORDER BY u.position)
      FROM catalogue.consent c JOIN catalogue.purpose u ON u.id = c.purpose_id
      WHERE c.pairing_id = p.id AND c.withdrawn_at IS NULL AND c.ends_at > %(now)s) AS consented
  FROM catalogue.pairing p
  WHERE p.subject = %(subject)s AND (
    EXISTS (SELECT FROM catalogue.consent c
      WHERE c.pairing_id = p.id AND c.withdrawn_at IS NULL AND c.ends_at > %(now)s)
    OR EXISTS (SELECT FROM catalogue.access_grant g WHERE g.pairing_id = p.id AND g.revoked_at IS NULL))
  ORDER BY p.created_at, p.id"""


@dataclass(frozen=True)
class GivenPurpose:
    """A purpose as the patient agreed to it, since when and until when.

    in_force  the version in force says the same, word for word; otherwise it opens nothing until it is agreed to again
    """

    purpose: Purpose
    given_at: datetime
    ends_at: datetime
    in_force: bool


@dataclass(frozen=True)
class ConnectedApp:
    """stays_connected: it has a refresh token, and so access while the patient is away.

    moved  how it came out of the list, or out of service; None for one that is where everybody finds it
    """

    app: App
    pairing_id: UUID
    since: datetime
    answered_at: datetime
    last_token_at: datetime | None
    stays_connected: bool
    purposes: tuple[GivenPurpose, ...]
    question: Question | None = None  # about its new version
    moved: Moment | None = None

    @property
    def offered(self) -> tuple[Purpose, ...]:
        """Purposes that the patient may agree to as well; none while the app awaits an answer about all of it."""
        if self.question is not None or not self.purposes or not self.app.effect.serves:
            return ()
        agreed = {given.purpose.same_as for given in self.purposes}
        return tuple(purpose for purpose in self.app.purposes if purpose.same_as not in agreed)

    @property
    def ends_at(self) -> datetime | None:
        """When the last of the consents ends; None where there is none."""
        return max((given.ends_at for given in self.purposes), default=None)


async def connected_apps(connection: Connection, subject: UUID, now: datetime | None = None) -> list[ConnectedApp]:
    """The apps connected with the space `subject` at this moment, oldest first; suspended ones too."""
    async with space(connection, subject):
        rows = await (
            await connection.execute(CONNECTED, {"subject": subject, "now": now or datetime.now(UTC)})
        ).fetchall()
        questions = await open_questions(connection, subject)
        connected = []
        for row in rows:
            app = await app_connected(connection, row.app_id, subject)
            if app is None:
                continue
            offered = {purpose.same_as for purpose in app.purposes}
            given = tuple(_given(columns, offered) for columns in row.consented or ())
            connected.append(
                ConnectedApp(
                    app, row.id, row.created_at, row.answered_at, row.last_token_at, row.stays_connected, given,
                    questions.get(app.id), await _moved(connection, app),
                )
            )  # fmt: skip
    return connected


async def _moved(connection: Connection, app: App) -> Moment | None:
    if app.tested or app.status not in {Status.OFFLINE, Status.SUSPENDED, Status.DEREFERENCED}:
        return None
    history = await history_of(connection, app.id)
    return history[0] if history else None


def _given(columns: dict[str, str], offered: set[UUID]) -> GivenPurpose:
    purpose = purpose_from(dict(columns))
    given_at, ends_at = (datetime.fromisoformat(columns[name]) for name in ("given_at", "ends_at"))
    return GivenPurpose(purpose, given_at, ends_at, purpose.same_as in offered)
