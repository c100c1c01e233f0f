"""What a vendor is told by mail while its application is reviewed, in both languages."""

from typing import Final

from app_catalog.review.dossier import Dossier
from app_catalog.wiring import Connection, Mail

ADDRESS = "SELECT contact_email FROM catalogue.vendor WHERE id = %s AND contact_verified_at IS NOT NULL"
Letter = tuple[str, str, str]  # subject, French text, English text

RETURNED: Final[Letter] = (
    "{app} : candidature incomplète / application not complete",
    "Votre candidature {app} (version {version}) vous est rendue. Ce qui manque :\n\n{text}",
    "Your application {app} (version {version}) is given back to you. What is missing:\n\n{text}",
)
QUESTION: Final[Letter] = (
    "{app} : une question / a question",
    "Une question sur votre candidature {app} (version {version}) :\n\n{text}\n\nRépondez-y dans votre compte.",
    "A question about your application {app} (version {version}):\n\n{text}\n\nAnswer it in your account.",
)
AGREEMENT: Final[Letter] = (
    "{app} : convention à accepter / agreement to accept",
    "Une convention pour {app} (version {version}), {text}, attend dans son compte un propriétaire de l’organisation.",
    "An agreement for {app} (version {version}), {text}, awaits an owner of your organisation in their account.",
)
APPROVED: Final[Letter] = (
    "{app} : candidature acceptée / application approved",
    "Votre candidature {app} (version {version}) est acceptée.\n\n{text}",
    "Your application {app} (version {version}) is approved.\n\n{text}",
)
REFUSED: Final[Letter] = (
    "{app} : candidature refusée / application refused",
    "Votre candidature {app} (version {version}) est refusée. Motif :\n\n{text}",
    "Your application {app} (version {version}) is refused. Reason:\n\n{text}",
)


async def tell(connection: Connection, mail: Mail | None, dossier: Dossier, letter: Letter, *, text: str) -> None:
    """Write to the vendor's address, in the caller's transaction, if one was shown to be the vendor's."""
    if mail is None:
        return
    row = await (await connection.execute(ADDRESS, (dossier.vendor_id,))).fetchone()
    if row is None or row.contact_email is None:
        return
    subject, french, english = (part.format(app=dossier.name, version=dossier.version, text=text) for part in letter)
    await mail.send(connection, row.contact_email, subject, f"Bonjour,\n\n{french}\n\n---\n\nHello,\n\n{english}\n")
