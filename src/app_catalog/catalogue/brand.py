"""The organisation that this server speaks for, as SMART's User-access Brands publish it (SMART App Launch 2.2)."""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

URI: Final = "urn:ietf:rfc:3986"
CATEGORIES: Final = frozenset({"clinical", "insurance", "laboratory", "imaging", "pharmacy", "network", "aggregator"})
TEXTS: Final = ("name", "website", "logo", "logo_license", "portal_name", "portal_description", "portal_url",
                "portal_logo", "portal_logo_license", "developer_url", "brand_bundle", "endpoint_name")  # fmt: skip
LISTS: Final = ("aliases", "categories")
TABLES: Final = ("identifiers", "addresses")
URLS: Final = frozenset({"website", "logo", "logo_license", "portal_url", "portal_logo", "portal_logo_license",
                         "developer_url", "brand_bundle"})  # fmt: skip
ADDRESS: Final = frozenset({"line", "city", "state", "postalCode", "country"})


class BadBrand(ValueError):
    """The file says no brand. The message names what is wrong with it."""


@dataclass(frozen=True)
class Brand:
    """What the publisher of a brand may say of it: every element that the profiles mark "must support".

    identifiers  (system, value); the first is what the SMART configuration names
    addresses    FHIR Address elements
    changed      when any of this changed last
    brand_bundle where more is said of this brand, elsewhere
    """

    name: str
    website: str
    changed: datetime
    identifiers: tuple[tuple[str, str], ...]
    aliases: tuple[str, ...] = ()
    categories: tuple[str, ...] = ("network",)
    addresses: tuple[dict[str, Any], ...] = ()
    logo: str = ""
    logo_license: str = ""
    portal_name: str = ""
    portal_description: str = ""
    portal_url: str = ""
    portal_logo: str = ""
    portal_logo_license: str = ""
    developer_url: str = ""
    brand_bundle: str = ""
    endpoint_name: str = "FHIR R4"

    @property
    def identifier(self) -> dict[str, str]:
        """FHIR's Identifier of the primary brand."""
        system, value = self.identifiers[0]
        return {"system": system, "value": value}


def brand_of_url(public_url: str, name: str, changed: datetime) -> Brand:
    """What is known without being told: the web address, which is the recommended identifier."""
    parts = urlsplit(public_url)
    host = parts.netloc.removeprefix("www.")
    return Brand(
        name=name,
        website=public_url,
        changed=changed,
        identifiers=((URI, f"{parts.scheme}://{host}"),),
        portal_name=name,
        portal_url=public_url,
        developer_url=f"{public_url}/catalogue/apply",
    )


def brand_from(path: Path, otherwise: Brand) -> Brand:
    """The brand that a TOML file describes; what it leaves out is as in `otherwise`. Raises BadBrand."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        changed = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadBrand(f"{path}: {error}") from None
    if unknown := set(told) - {*TEXTS, *LISTS, *TABLES}:
        raise BadBrand(f"{path}: {', '.join(sorted(unknown))}: there is no such entry.")
    for name in TEXTS:
        if name in told and not _is_text(told[name]):
            raise BadBrand(f"{path}: {name} is a text.")
        if name in told and name in URLS and urlsplit(told[name]).scheme not in {"https", "http", "data"}:
            raise BadBrand(f"{path}: {name} is a URL.")
    for name in LISTS:
        if name in told and not (isinstance(told[name], list) and all(map(_is_text, told[name]))):
            raise BadBrand(f"{path}: {name} is a list of texts.")
    if not set(told.get("categories", ())) <= CATEGORIES:
        raise BadBrand(f"{path}: categories are among {', '.join(sorted(CATEGORIES))}.")
    values: dict[str, Any] = {name: told[name] for name in TEXTS if name in told}
    values |= {name: tuple(told[name]) for name in LISTS if name in told}
    if "identifiers" in told:
        values["identifiers"] = _identifiers(path, told["identifiers"])
    if "addresses" in told:
        values["addresses"] = _addresses(path, told["addresses"])
    return Brand(**{**otherwise.__dict__, **values, "changed": changed})


def _identifiers(path: Path, told: Any) -> tuple[tuple[str, str], ...]:
    if not (isinstance(told, list) and told and all(isinstance(one, dict) for one in told)) or not all(
        set(one) == {"system", "value"} and all(map(_is_text, one.values())) for one in told
    ):
        raise BadBrand(f"{path}: each of the identifiers has a system and a value.")
    found = tuple((one["system"], one["value"]) for one in told)
    if len(set(found)) != len(found):
        raise BadBrand(f"{path}: an identifier comes twice.")
    return found


def _addresses(path: Path, told: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(told, list) or not all(isinstance(one, dict) and one and set(one) <= ADDRESS for one in told):
        raise BadBrand(f"{path}: an address has some of {', '.join(sorted(ADDRESS))}.")
    for one in told:
        lines = one.get("line", [])
        others = [value for name, value in one.items() if name != "line"]
        if not isinstance(lines, list) or not all(map(_is_text, [*lines, *others])):
            raise BadBrand(f"{path}: an address is made of texts, line of a list of them.")
    return tuple(told)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()
