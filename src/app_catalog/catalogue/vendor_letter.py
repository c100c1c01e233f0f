"""What a vendor is told by mail about an app: in both languages, for an organisation has none of its own."""

from dataclasses import dataclass
from datetime import date

from app_catalog.catalogue.apps import App
from app_catalog.catalogue.status import Status
from app_catalog.catalogue.written_day import written_day
from app_catalog.wiring import Connection, Language, Mail

ADDRESS = "SELECT contact_email FROM catalogue.vendor WHERE id = %s AND contact_verified_at IS NOT NULL"
STATUS_WORDS: dict[Status, tuple[str, str]] = {
    Status.CANDIDATE: ("candidate", "candidate"),
    Status.PRE_SERIES: ("présérie", "pre-series"),
    Status.ONLINE: ("en ligne", "online"),
    Status.OFFLINE: ("hors ligne", "offline"),
    Status.SUSPENDED: ("suspendue", "suspended"),
    Status.DEREFERENCED: ("retirée", "removed"),
}
GREETING = "Bonjour,\n\n{text}\n"
GREETING_EN = "Hello,\n\n{text}\n"


@dataclass(frozen=True)
class Letter:
    """A subject and a text, in French and in English, with the fields ``{app}``, ``{status}``, ``{reason}``, ``{day}``
    and ``{days}`` as far as they are used."""

    subject_fr: str
    subject_en: str
    text_fr: str
    text_en: str


async def tell_vendor(
    connection: Connection,
    mail: Mail,
    app: App,
    letter: Letter,
    *,
    status: Status | None = None,
    reason: str = "",
    day: date | None = None,
    days: int = 0,
) -> bool:
    """Send `letter` about `app` to its vendor's address; False where none was ever shown to be the vendor's."""
    row = await (await connection.execute(ADDRESS, (app.vendor_id,))).fetchone()
    if row is None or row.contact_email is None:
        return False

    def filled(text: str, language: Language) -> str:
        words = STATUS_WORDS[status][0 if language == "fr" else 1] if status else ""
        written = "" if day is None else written_day(day, language)
        return text.format(app=app.name, status=words, reason=reason, day=written, days=days)

    subject = f"{filled(letter.subject_fr, 'fr')} / {filled(letter.subject_en, 'en')}"
    text = "\n".join(
        (
            GREETING.format(text=filled(letter.text_fr, "fr")),
            GREETING_EN.format(text=filled(letter.text_en, "en")),
        )
    )
    await mail.send(connection, row.contact_email, subject, text)
    return True
