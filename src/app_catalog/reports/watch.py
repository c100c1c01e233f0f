"""What a reviewer watches over: audits, complaints and requests for renewal, read for the pages."""

from typing import Final
from uuid import UUID

from app_catalog.wiring import Connection, Row

_UTC: Final = "AT TIME ZONE 'UTC'"
_NAMES: Final = """JOIN catalogue.app a ON a.id = {table}.app_id
  JOIN catalogue.application v ON v.id = a.application_id JOIN catalogue.vendor n ON n.id = a.vendor_id"""
AUDITS: Final = f"""SELECT d.id, d.state, d.assigned_name, d.opened_at {_UTC} AS opened_at, d.outcome, d.due_on,
    d.ended_at {_UTC} AS ended_at, v.name AS app_name, n.name AS vendor_name,
    (SELECT count(*) FROM catalogue.report r WHERE r.audit_id = d.id) AS reports, m.reminded_at, m.told
  FROM catalogue.audit d {_NAMES.format(table="d")}
  LEFT JOIN LATERAL (SELECT sent_at {_UTC} AS reminded_at, told FROM catalogue.correction_reminder
    WHERE audit_id = d.id AND due_on = d.due_on ORDER BY sent_at DESC LIMIT 1) m ON true
  WHERE (d.state = 'closed') = %(closed)s ORDER BY d.due_on NULLS FIRST, d.opened_at DESC, d.id LIMIT 100"""
AUDIT: Final = """SELECT d.id, d.app_id, d.state, d.assigned_to, d.assigned_name, d.outcome, d.due_on
  FROM catalogue.audit d WHERE d.id = %s"""
REPORTS: Final = f"""SELECT reporter, category, text, contact, at {_UTC} AS at FROM catalogue.report
  WHERE audit_id = %s ORDER BY at, id"""
STEPS: Final = f"""SELECT step, actor_kind, actor_name, text, outcome, at {_UTC} AS at FROM catalogue.audit_step
  WHERE audit_id = %s ORDER BY id"""
COMPLAINTS: Final = f"""SELECT c.id, c.app_id, c.text, c.made_by_name, c.made_at {_UTC} AS made_at, s.step,
    s.to_status, s.reason, s.actor, s.actor_name, s.at {_UTC} AS decided_at, v.name AS app_name,
    n.name AS vendor_name
  FROM catalogue.complaint c JOIN catalogue.app_step s ON s.id = c.step_id
  JOIN catalogue.app a ON a.id = c.app_id JOIN catalogue.vendor n ON n.id = a.vendor_id
  JOIN catalogue.application v ON v.id = coalesce(s.application_id, a.application_id)
  WHERE c.answered_at IS NULL ORDER BY c.made_at, c.id LIMIT 100"""
RENEWALS: Final = f"""SELECT w.id, w.app_id, w.text, w.made_by_name, w.made_at {_UTC} AS made_at, v.name AS app_name,
    n.name AS vendor_name,
    coalesce(
      (SELECT max(g.ends_on) FROM catalogue.agreement g WHERE g.application_id = v.id AND g.accepted_at IS NOT NULL),
      (SELECT g.ends_on FROM catalogue.given_end g WHERE g.app_id = a.id ORDER BY g.id DESC LIMIT 1)) AS ends_on
  FROM catalogue.renewal w {_NAMES.format(table="w")}
  WHERE w.decided_at IS NULL ORDER BY w.made_at, w.id LIMIT 100"""
AUDITS_OF_APP: Final = f"""SELECT d.id, d.state, d.outcome, d.due_on, d.opened_at {_UTC} AS opened_at
  FROM catalogue.audit d WHERE d.app_id = %s AND EXISTS (
    SELECT FROM catalogue.audit_step s WHERE s.audit_id = d.id AND s.step IN ('plan sent', 'outcome'))
  ORDER BY d.opened_at DESC, d.id LIMIT 20"""
STEPS_OF_APP: Final = """SELECT s.id, s.step, s.from_status, s.to_status, s.actor, s.actor_name, s.reason, s.at,
    c.text AS complaint, c.made_at AS complained_at, c.upheld, c.answer
  FROM catalogue.app_step s LEFT JOIN catalogue.complaint c ON c.step_id = s.id
  WHERE s.app_id = %s ORDER BY s.id DESC LIMIT 100"""
RENEWALS_OF_APP: Final = f"""SELECT text, made_by_name, made_at {_UTC} AS made_at, granted, until, reason
  FROM catalogue.renewal WHERE app_id = %s ORDER BY made_at DESC LIMIT 20"""


async def audits(connection: Connection, *, closed: bool) -> list[Row]:
    """The first hundred, those with a correction due soonest at the end."""
    return await (await connection.execute(AUDITS, {"closed": closed})).fetchall()


async def audit(connection: Connection, audit_id: UUID) -> Row | None:
    return await (await connection.execute(AUDIT, (audit_id,))).fetchone()


async def reports(connection: Connection, audit_id: UUID) -> list[Row]:
    return await (await connection.execute(REPORTS, (audit_id,))).fetchall()


async def steps(connection: Connection, audit_id: UUID) -> list[Row]:
    return await (await connection.execute(STEPS, (audit_id,))).fetchall()


async def complaints(connection: Connection) -> list[Row]:
    """Those that wait for an answer, oldest first."""
    return await (await connection.execute(COMPLAINTS)).fetchall()


async def renewals(connection: Connection) -> list[Row]:
    """Those that wait for a decision, oldest first."""
    return await (await connection.execute(RENEWALS)).fetchall()


async def audits_of_app(connection: Connection, app_id: UUID) -> list[Row]:
    """Those that its vendor was told of, newest first."""
    return await (await connection.execute(AUDITS_OF_APP, (app_id,))).fetchall()


async def steps_of_app(connection: Connection, app_id: UUID) -> list[Row]:
    """The newest hundred, each with the complaint about it."""
    return await (await connection.execute(STEPS_OF_APP, (app_id,))).fetchall()


async def renewals_of_app(connection: Connection, app_id: UUID) -> list[Row]:
    return await (await connection.execute(RENEWALS_OF_APP, (app_id,))).fetchall()
