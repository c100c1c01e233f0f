"""Sending what is in the outbox, by SMTP (RFC 5321): one mail per transaction, again later where a server is away.

A mail whose sending ends before its row says so goes out twice, with the same Message-ID.
"""

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog
from psycopg import Connection

from device_gateway.catalogue_key import catalogue_key
from device_gateway.database.pool import Row, connect
from device_gateway.errors import BadSetting
from device_gateway.mail.outbox import text_of
from device_gateway.settings import Settings

TIMEOUT_S: Final = 15  # for each step of the conversation
FIRST_PAUSE: Final = timedelta(minutes=1)  # doubled each time
LONGEST_PAUSE: Final = timedelta(hours=6)
GIVE_UP_AFTER: Final = timedelta(days=3)  # a link in it has ended by then, or is about to
SUBMISSION_PORT, SMTPS_PORT = 587, 465  # RFC 6409, RFC 8314
TOO_OLD: Final = "It could not be sent for three days."

NEXT: Final = """SELECT id, recipient, subject, body, sealed, created_at, attempts, last_error
  FROM gateway.outgoing_mail
  WHERE sent_at IS NULL AND failed_at IS NULL AND next_at <= %s ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED"""
SENT: Final = """UPDATE gateway.outgoing_mail SET sent_at = %s, body = NULL, attempts = attempts + 1, last_error = NULL
  WHERE id = %s"""
LATER: Final = """UPDATE gateway.outgoing_mail SET attempts = attempts + 1, last_error = %s, next_at = %s
  WHERE id = %s"""
GIVEN_UP: Final = """UPDATE gateway.outgoing_mail SET attempts = attempts + 1, last_error = %s, failed_at = %s,
  body = NULL WHERE id = %s"""
# Nobody knocks once per mail at a server that lets nobody in: what else is due waits as well, and says why.
POSTPONE: Final = """UPDATE gateway.outgoing_mail SET last_error = %(error)s, next_at = %(later)s
  WHERE id IN (SELECT id FROM gateway.outgoing_mail WHERE sent_at IS NULL AND failed_at IS NULL AND next_at <= %(now)s
    FOR UPDATE SKIP LOCKED)"""
FORGET: Final = "DELETE FROM gateway.outgoing_mail WHERE created_at < %s"

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The server will never take this mail."""


@dataclass(frozen=True)
class Server:
    """Where mail is handed in, from `DEVICE_GATEWAY_SMTP_URL`.

    authorities  file of certificates that vouch for it, besides those of the system
    """

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    implicit_tls: bool
    authorities: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Server":
        parts = urlsplit(settings.smtp_url)
        implicit = parts.scheme == "smtps"
        return cls(
            parts.hostname or "",
            parts.port or (SMTPS_PORT if implicit else SUBMISSION_PORT),
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            implicit,
            settings.smtp_authorities,
        )

    def open(self) -> smtplib.SMTP:
        """A session, under TLS unless the server is on this machine and nobody was named who vouches for it. Raises
        OSError or SMTPException."""
        context = ssl.create_default_context()
        if self.authorities is not None:
            context.load_verify_locations(self.authorities)
        if self.implicit_tls:
            session: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context)
        else:
            session = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        try:
            if not self.implicit_tls and (self.authorities is not None or not _is_loopback(self.host)):
                session.starttls(context=context)
            if self.user is not None:
                session.login(self.user, self.password or "")
        except BaseException:
            session.close()
            raise
        return session


def deliver_due(settings: Settings, now: datetime | None = None) -> int:
    """Send what is due, and forget what is old; returns how many were sent. Nothing is sent where no server is set."""
    now = now or datetime.now(UTC)
    with connect(settings.required("database_url"), "gateway_app") as connection:
        connection.execute(FORGET, (now - timedelta(days=settings.mail_days),))
        if not settings.smtp_url:
            return 0
        return _deliver(connection, settings, now)


def _deliver(connection: Connection[Row], settings: Settings, now: datetime) -> int:
    server, key, sent = Server.of(settings), catalogue_key(settings), 0
    session: smtplib.SMTP | None = None
    try:
        while True:
            with connection.transaction():
                mail = connection.execute(NEXT, (now,)).fetchone()
                if mail is None:
                    return sent
                try:
                    if mail.created_at < now - GIVE_UP_AFTER:
                        raise Refused(mail.last_error or TOO_OLD)  # noqa: TRY301
                    message = _message(mail, text_of(mail, key), settings)
                    if session is None:
                        try:
                            session = server.open()
                        except (OSError, smtplib.SMTPException) as error:
                            log.warning("no mail server", error=_cause(error))
                            _put_off(connection, mail, error, now)
                            parameters = {"error": words_for(error), "later": now + FIRST_PAUSE, "now": now}
                            connection.execute(POSTPONE, parameters)
                            return sent
                    _hand_in(session, message)
                except (Refused, BadSetting) as refused:
                    log.warning("mail given up", mail=str(mail.id), error=type(refused).__name__)
                    connection.execute(GIVEN_UP, (str(refused), now, mail.id))
                except (OSError, smtplib.SMTPException) as error:
                    log.warning("mail not sent", mail=str(mail.id), attempt=mail.attempts + 1, error=_cause(error))
                    _put_off(connection, mail, error, now)
                    _close(session)
                    session = None
                else:
                    connection.execute(SENT, (now, mail.id))
                    sent += 1
    finally:
        _close(session)


def words_for(error: Exception) -> str:
    """What an operator should know of why mail does not go out. No password is in it."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"The mail server refuses the user name or the password ({error.smtp_code}): DEVICE_GATEWAY_SMTP_URL."
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of the mail server is not trusted ({error.verify_message}): name who vouches for it in "
            "DEVICE_GATEWAY_SMTP_AUTHORITIES."
        )
    return f"{_cause(error)}: {error}"[:500]


def _put_off(connection: Connection[Row], mail: Row, error: Exception, now: datetime) -> None:
    pause = min(FIRST_PAUSE * 2 ** min(mail.attempts, 20), LONGEST_PAUSE)
    connection.execute(LATER, (words_for(error), now + pause, mail.id))


def _hand_in(session: smtplib.SMTP, message: EmailMessage) -> None:
    """Raises Refused where the server says that it will never take it, and SMTPException or OSError."""
    try:
        session.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        if code >= 500:
            raise Refused(f"{code} {text.decode(errors='replace')}"[:500]) from error
        raise
    except smtplib.SMTPDataError as error:
        if error.smtp_code >= 500:
            raise Refused(f"{error.smtp_code} {error.smtp_error!r}"[:500]) from error
        raise


def _message(mail: Row, text: str, settings: Settings) -> EmailMessage:
    """Raises Refused for what no header can hold: it waits for nothing, and the mails after it do not wait for it."""
    host = urlsplit(settings.public_url).hostname
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.mail_from or f"Device Gateway <no-reply@{host}>"
    try:
        message["To"] = mail.recipient
        message["Subject"] = mail.subject
    except Exception as error:  # the parser of addresses raises whatever comes to it
        raise Refused("The address or the subject cannot be written.") from error
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
    message.set_content(text, cte="quoted-printable")
    return message


def _close(session: smtplib.SMTP | None) -> None:
    if session is not None:
        with suppress(OSError, smtplib.SMTPException):
            session.quit()
        session.close()


def _cause(error: Exception) -> str:
    """For the log: the kind and the server's code, never its words, which may name somebody."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
