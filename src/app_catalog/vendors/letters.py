"""Mails to vendors about their organisation, in French and English: what an address speaks is not known."""

from datetime import datetime

from app_catalog.vendors.role import Role

FRENCH_ROLES = {Role.OWNER: "propriétaire", Role.DEVELOPER: "développeur", Role.VIEWER: "lecteur"}

INVITATION = """{inviter} vous invite à rejoindre l’organisation {vendor}, comme {french_role}.
Connectez-vous avec votre compte d’éditeur et acceptez avant le {until} :
{link}
Ce lien ne sert qu’une fois. Si vous n’attendiez pas ce message, ignorez-le.

{inviter} invites you to join the organisation {vendor}, as {role}.
Sign in with your account as a vendor and accept before {until}:
{link}
The link works once. If you did not expect this message, ignore it.
"""
CONTACT = """Cette adresse a été donnée comme contact de l’organisation {vendor}.
Confirmez-la avant le {until} :
{link}
Si ce n’est pas votre organisation, ignorez ce message.

This address was given as the contact of the organisation {vendor}.
Confirm it before {until}:
{link}
If it is not your organisation, ignore this message.
"""
KEY = """{person} a créé dans l’organisation {vendor} la clé d’accès « {name} ».
Elle permet de {french_may} jusqu’au {until}.
Si personne chez vous n’a voulu cela, mettez-y fin aussitôt et changez de mot de passe :
{link}

{person} has made the access key “{name}” in the organisation {vendor}.
It may {may} until {until}.
If nobody at your place wanted this, end it at once and change the password:
{link}
"""


def invitation(vendor: str, inviter: str, role: Role, link: str, until: datetime) -> tuple[str, str]:
    """Subject and text."""
    subject = f"Invitation : {_line(vendor)} · Invitation to {_line(vendor)}"
    text = INVITATION.format(
        inviter=inviter, vendor=vendor, role=role.value, french_role=FRENCH_ROLES[role], link=link, until=_time(until)
    )
    return subject, text


def contact(vendor: str, link: str, until: datetime) -> tuple[str, str]:
    """Subject and text."""
    subject = "Confirmez votre adresse · Confirm your address"
    return subject, CONTACT.format(vendor=vendor, link=link, until=_time(until))


def access_key(vendor: str, person: str, name: str, link: str, until: datetime, *, writes: bool) -> tuple[str, str]:
    """Subject and text."""
    subject = f"Nouvelle clé d’accès : {_line(vendor)} · New access key of {_line(vendor)}"
    may, french_may = ("read and write", "lire et d’écrire") if writes else ("read", "lire")
    values = {"vendor": vendor, "person": person, "name": name, "may": may, "french_may": french_may, "link": link}
    return subject, KEY.format(**values, until=_time(until))


def _line(text: str) -> str:
    """As a header can hold it."""
    return " ".join(text.split())


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
