"""The people of the demo, and the parts that they pair: made once, remembered in DATA_DIR/demo-people.json."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from device_gateway.accounts import Account, create_account
from device_gateway.accounts.account import Kind
from device_gateway.database.pool import connect

FILE = "demo-people.json"
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # read from a terminal and typed: none that look alike
PASSWORD_LENGTH = 14
PEOPLE: tuple[tuple[str, Kind, str, str], ...] = (
    ("alice", "patient", "Alice Martin", "fr"),
    ("bruno", "patient", "Bruno Leroy", "en"),
    ("dr.diallo", "professional", "Dr Aminata Diallo", "fr"),
    ("vendor", "vendor", "Camille Vasseur", "fr"),
    ("reviewer", "reviewer", "Rémi Kowalski", "fr"),
    ("reviewer2", "reviewer", "Sarah Benhamou", "fr"),
    ("operator", "operator", "Olga Petit", "en"),
)


@dataclass(frozen=True)
class DemoPerson:
    username: str
    kind: str
    password: str
    display_name: str
    id: str
    space_id: str | None


def make_people(owner_url: str) -> list[DemoPerson]:
    """Create the accounts, each with a password of its own."""
    people = []
    with connect(owner_url, "gateway_owner") as connection:
        for username, kind, name, language in PEOPLE:
            password = "".join(secrets.choice(LETTERS) for _ in range(PASSWORD_LENGTH))
            account = create_account(connection, username, kind, password, name, language)  # type: ignore[arg-type]
            subject = str(account.subject) if account.subject else None
            people.append(DemoPerson(username, kind, password, name, str(account.id), subject))
    return people


def as_account(person: DemoPerson) -> Account:
    """The person as the product's functions take one; nobody has signed in."""
    subject = UUID(person.space_id) if person.space_id else None
    return Account(UUID(person.id), person.kind, subject, person.display_name, "fr", csrf_token="")  # type: ignore[arg-type]


def load(data_dir: Path) -> dict[str, Any] | None:
    """What a former start remembered, or None."""
    path = data_dir / FILE
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else None


def save(
    data_dir: Path,
    people: list[DemoPerson],
    devices: list[dict[str, Any]],
    apps: list[dict[str, Any]],
    claim_codes: list[dict[str, str]],
) -> None:
    """Remember all of it, readable by this user only."""
    remembered = {
        "people": [asdict(person) for person in people],
        "devices": devices,
        "apps": apps,
        "claim_codes": claim_codes,
    }
    write_private(data_dir / FILE, remembered)


def write_private(path: Path, value: Any) -> None:  # Any: a JSON value
    """Write JSON that only this user may read; readers see the old file or the new one, never half of it."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
    temporary.replace(path)


def since_long() -> datetime:
    """From when on the demo's devices are their patients': their simulated history begins before today."""
    return datetime.now(UTC) - timedelta(days=120)
