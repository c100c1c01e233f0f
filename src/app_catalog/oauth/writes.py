"""The SQL by which codes and tokens come and go. All of it runs inside `space`; the rows to consume are locked."""

from app_catalog.wiring import Call

ADD_GRANT = """INSERT INTO catalogue.access_grant (id, pairing_id, subject, person, scope, created_at, expires_at,
    session, tested_application)
  VALUES (%(grant)s, %(pairing)s, %(subject)s, %(person)s, %(scope)s, %(now)s, %(expires)s, %(session)s, %(tested)s)"""
ADD_CODE = """INSERT INTO catalogue.authorization_code (hash, grant_id, subject, redirect_uri, code_challenge,
    expires_at, nonce, auth_time)
  VALUES (%(hash)s, %(grant)s, %(subject)s, %(redirect_uri)s, %(challenge)s, %(expires)s, %(nonce)s, %(auth_time)s)"""
USE_CODE = "UPDATE catalogue.authorization_code SET used_at = %(now)s WHERE hash = %(hash)s"
ADD_TOKEN = """INSERT INTO catalogue.token (hash, kind, grant_id, subject, scope, issued_at, expires_at,
    certificate)
  VALUES (%(hash)s, %(kind)s, %(grant)s, %(subject)s, %(scope)s, %(now)s, %(expires)s, %(certificate)s)"""  # noqa: S105  SQL text
REFRESH = Call(
    "catalogue.refreshed_token",
    {
        "hash": "bytea", "space": "uuid", "now": "timestamptz", "kept_until": "timestamptz", "sealed": "bytea",
        "access_hash": "bytea", "access_scope": "text", "access_until": "timestamptz", "certificate": "bytea",
        "refresh_hash": "bytea", "refresh_scope": "text", "refresh_until": "timestamptz",
    },
)  # fmt: skip
REVOKE_TOKEN = "UPDATE catalogue.token SET revoked_at = %(now)s WHERE hash = %(hash)s AND revoked_at IS NULL"  # noqa: S105  SQL text
