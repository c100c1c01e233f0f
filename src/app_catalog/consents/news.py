"""What a patient should be told of their apps when they come to the portal."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app_catalog.consents.period import SOON
from app_catalog.space import space
from app_catalog.wiring import Connection

NEWS: Final = """SELECT r.app_id, v.name, q.limit_at, max(c.ends_at) AS ends_at,
    CASE a.status WHEN 'SUSPENDED' THEN (SELECT max(s.at) FROM catalogue.app_step s
      WHERE s.app_id = a.id AND s.to_status = 'SUSPENDED' AND s.from_status <> 'SUSPENDED') END AS suspended_at
  FROM catalogue.pairing r
  JOIN catalogue.app a ON a.id = r.app_id
  JOIN catalogue.application v ON v.id = a.application_id
  JOIN catalogue.consent c ON c.pairing_id = r.id AND c.withdrawn_at IS NULL AND c.ends_at > %(now)s
  LEFT JOIN catalogue.reapproval q ON q.pairing_id = r.id AND q.answered_at IS NULL
  WHERE r.subject = %(subject)s
  GROUP BY r.app_id, v.name, q.limit_at, a.id
  HAVING q.limit_at IS NOT NULL OR a.status = 'SUSPENDED' OR max(c.ends_at) <= %(soon)s
  ORDER BY least(q.limit_at, max(c.ends_at)), v.name"""


@dataclass(frozen=True)
class AppNews:
    """answer_until  a new version awaits an answer; without one its access stops, or has stopped, then
    ends_at  its last consent ends soon; None where it does not
    suspended_at  since when it is suspended; None where it is not
    """

    app_id: UUID
    name: str
    answer_until: datetime | None
    ends_at: datetime | None
    suspended_at: datetime | None = None


async def app_news(connection: Connection, subject: UUID, now: datetime) -> list[AppNews]:
    """What is most pressing comes first."""
    async with space(connection, subject):
        parameters = {"subject": subject, "now": now, "soon": now + SOON}
        rows = await (await connection.execute(NEWS, parameters)).fetchall()
    return [
        AppNews(
            row.app_id, row.name, row.limit_at, row.ends_at if row.ends_at <= now + SOON else None, row.suspended_at
        )
        for row in rows
    ]
