"""Making accounts: by the owner of the database only, from the command line or the demo."""

import re
from uuid import UUID

from psycopg import Connection
from psycopg.errors import UniqueViolation

from device_gateway.accounts.account import DEFAULT_ZONE, KINDS, LANGUAGES, Account, BadAccount, Kind, Language, is_zone
from device_gateway.accounts.passwords import hash_password
from device_gateway.database.pool import Row

USERNAME = re.compile(r"[a-z0-9._@+-]{2,64}")
NAME_LENGTH = 80  # characters of a display name

NEW_SPACE = "INSERT INTO gateway.space (zone) VALUES (%s) RETURNING id"
NEW_ACCOUNT = """INSERT INTO gateway.account (username, kind, display_name, password_hash, language, space_id)
  VALUES (%s, %s, %s, %s, %s, %s) RETURNING id"""


def create_account(  # noqa: PLR0917  # the order in which one says it
    owner_connection: Connection[Row],
    username: str,
    kind: Kind,
    password: str,
    display_name: str,
    language: Language = "fr",
    zone: str = DEFAULT_ZONE,
) -> Account:
    """A new account, and for a patient a new space; its `csrf_token` is empty, for nobody has signed in.

    `owner_connection` has the role gateway_owner. Raises BadAccount with what to change.
    """
    username = username.strip().lower()
    if not USERNAME.fullmatch(username):
        raise BadAccount("A user name has 2 to 64 of the characters a-z 0-9 . _ @ + -")
    if kind not in KINDS:
        raise BadAccount(f"An account's kind is one of {', '.join(KINDS)}.")
    if language not in LANGUAGES:
        raise BadAccount(f"A language is one of {', '.join(LANGUAGES)}.")
    if not 1 <= len(display_name.strip()) <= NAME_LENGTH or not display_name.isprintable():
        raise BadAccount(f"A display name has 1 to {NAME_LENGTH} printable characters.")
    if not is_zone(zone):
        raise BadAccount("A time zone is an IANA name, for instance Europe/Paris.")
    hashed = hash_password(password)
    with owner_connection.transaction():
        space: UUID | None = None
        if kind == "patient":
            space = _value(owner_connection, NEW_SPACE, (zone,))
        try:
            account = _value(
                owner_connection, NEW_ACCOUNT, (username, kind, display_name.strip(), hashed, language, space)
            )
        except UniqueViolation as error:
            raise BadAccount(f"There is already an account named {username}.") from error
    return Account(account, kind, space, display_name.strip(), language, csrf_token="", zone=zone)


def _value(connection: Connection[Row], query: str, parameters: tuple[object, ...]) -> UUID:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None  # noqa: S101  # INSERT … RETURNING gives a row
    return UUID(str(row[0]))
