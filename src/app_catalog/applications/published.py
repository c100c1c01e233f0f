"""What the catalogue says of an app beside its description: links, price, regions, themes, whether it is a device."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app_catalog.errors import Fault
from app_catalog.words import marked

LINKS: Mapping[str, str] = {
    "site": marked("Website"),
    "terms": marked("Terms of use"),
    "privacy": marked("Privacy notice"),
    "support": marked("Support"),
    "ios": marked("App Store"),
    "android": marked("Google Play"),
    "web": marked("Use it in the browser"),
}
NEEDED_LINKS = ("site", "terms", "privacy", "support")
ECONOMIC_MODELS: Mapping[str, str] = {
    "free": marked("free of charge"),
    "free_with_purchases": marked("free of charge, with purchases"),
    "paid": marked("paid"),
}
# The codes of the national catalogue (its demonstration data), under names of our own.
THEMES: Mapping[str, str] = {
    "USAGE_BIEN_ETRE": marked("Well-being"),
    "CARNET_SANTE": marked("Health record"),
    "CARNET_VACCIN": marked("Vaccination record"),
    "GESTION": marked("Living with a condition"),
    "OBSERVANCE": marked("Keeping to a treatment"),
    "PRE_ADMISSION": marked("Admission to hospital"),
    "PREVENTION_INFO": marked("Prevention and information"),
    "AUTONOMIE": marked("Autonomy"),
    "TELECONSULTATION": marked("Remote consultation"),
}
# ISO 3166-2:FR; names of places are the same in both languages.
REGIONS: Mapping[str, str] = {
    "FR-ARA": "Auvergne-Rhône-Alpes",
    "FR-BFC": "Bourgogne-Franche-Comté",
    "FR-BRE": "Bretagne",
    "FR-CVL": "Centre-Val de Loire",
    "FR-20R": "Corse",
    "FR-GES": "Grand Est",
    "FR-HDF": "Hauts-de-France",
    "FR-IDF": "Île-de-France",
    "FR-NOR": "Normandie",
    "FR-NAQ": "Nouvelle-Aquitaine",
    "FR-OCC": "Occitanie",
    "FR-PDL": "Pays de la Loire",
    "FR-PAC": "Provence-Alpes-Côte d’Azur",
    "FR-971": "Guadeloupe",
    "FR-972": "Martinique",
    "FR-973": "Guyane",
    "FR-974": "La Réunion",
    "FR-976": "Mayotte",
}
DEVICE_CLASSES = ("I", "IIa", "IIb", "III")  # Regulation (EU) 2017/745, annex VIII
SELF_DECLARED_CLASS = "I"  # put on the market without a notified body, hence without a certificate
MAX_LINK = 500  # characters
MAX_CERTIFICATE = 100


@dataclass(frozen=True)
class Published:
    """links: keys of LINKS · regions: none means everywhere · medical_device_class: None for what is no such device"""

    links: Mapping[str, str] = field(default_factory=dict)
    economic_model: str = "free"
    regions: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    medical_device_class: str | None = None
    medical_device_certificate: str | None = None


def faults_of(published: Published) -> Iterator[Fault]:
    for name in LINKS:
        url = published.links.get(name)
        if url and not is_link(url):
            yield Fault(f"/links/{name}", "A link is an https address without a user name.")
        elif not url and name in NEEDED_LINKS:
            yield Fault(f"/links/{name}", "This is needed.")
    if published.economic_model not in ECONOMIC_MODELS:
        yield Fault("/economic_model", "Choose one of these.")
    if not published.themes or not set(published.themes) <= set(THEMES):
        yield Fault("/themes", "Choose at least one theme.")
    if not set(published.regions) <= set(REGIONS):
        yield Fault("/regions", "Choose one of these.")
    yield from _medical_device(published.medical_device_class, published.medical_device_certificate or "")


def is_link(text: str) -> bool:
    """Whether it is an address that a page may lead to."""
    if len(text) > MAX_LINK or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc


def _medical_device(device_class: str | None, certificate: str) -> Iterator[Fault]:
    if device_class is not None and device_class not in DEVICE_CLASSES:
        yield Fault("/medical_device_class", "Choose the class of the medical device.")
    if len(certificate) > MAX_CERTIFICATE or not certificate.isprintable():
        yield Fault("/medical_device_certificate", "This is too long, or has characters that cannot be shown.")
    elif device_class in DEVICE_CLASSES and device_class != SELF_DECLARED_CLASS and not certificate.strip():
        yield Fault("/medical_device_certificate", "From class IIa on, give the number of the CE certificate.")
